import multipart from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { BATCH_BYTES_MOST } from '../../engine/openai-check.ts'
import { SluiceError } from '../../errors.ts'
import type { FileDesk, StoredFile } from '../../service.ts'
import { exactly, json, oneOfTexts, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import { byteRange } from '../byte-range.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { openStreams } from '../open-stream.ts'
import { listPage, listQuery, unknownCursor } from './list-page.ts'
import { compileParamCheck } from './param-check.ts'
import { ALWAYS, listOf, OPENAI_FILE, OPENAI_FILE_DELETED, type OpenAiFile, openAiProblem } from './schema.ts'
import { receiveUpload } from './upload-form.ts'

const LIMITS = { default: 10_000, maximum: 10_000 } as const
/** Files that are asked of the store at once. */
const PAGE = 500

/** Ids of files, which sort by when they were made. */
const FILE_ID = /^file_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

const BY_ID = exactly({ id: Type.String() })
const NOT_FOUND = openAiProblem('There is no such file.')
const errors = 'openai' as const

/** Adds OpenAI's files: those of batches, and what batches made of them. Inputs of other jobs are not among them. */
export async function fileRoutes(app: App, deps: HttpDeps): Promise<void> {
  await app.register(multipart)
  addUpload(app, deps)
  addLists(app, deps)
  addContent(app, deps)
  addDelete(app, deps)
}

/** What a form may hold; it is read as it comes, and checked there. */
const FORM = exactly({
  file: Type.String({ format: 'binary', description: 'The requests, one in a line.' }),
  purpose: Type.Literal('batch'),
  'expires_after[anchor]': Type.Optional(Type.Literal('created_at')),
  'expires_after[seconds]': Type.Optional(Type.Integer({ minimum: 3_600, maximum: 2_592_000 })),
})

function addUpload(app: App, deps: HttpDeps): void {
  const { service, config, runtime } = deps
  app.post(
    '/v1/files',
    {
      config: { scope: 'submit', errors },
      validatorCompiler: () => () => true,
      schema: {
        operationId: 'createOpenAiFile',
        summary: 'Upload the requests of a batch',
        description:
          'Scope: `submit`. A form (`multipart/form-data`) with `file`, `purpose` (`batch`) and, as OpenAI has it, `expires_after`.',
        tags: ['openai'],
        consumes: ['multipart/form-data'],
        body: FORM,
        response: {
          ...ALWAYS,
          200: json('The file.', ref(OPENAI_FILE)),
          400: openAiProblem('The form is none that is taken.'),
          413: openAiProblem('It is too large.'),
        },
      },
    },
    async (request) => {
      const file = await receiveUpload(request, service.files(request.principal.tenantNo), {
        id: `file_${request.mintedId}`,
        maxBytes: Math.min(config.limits.uploadBytes, BATCH_BYTES_MOST),
        nowMs: runtime.now(),
        signal: whileSending(request),
      })
      await audit(deps, request, 'file.create', file.id)
      return fileJson(file)
    },
  )
}

function addLists(app: App, { service }: HttpDeps): void {
  app.get(
    '/v1/files',
    {
      config: { scope: 'read', errors },
      validatorCompiler: compileParamCheck,
      schema: {
        operationId: 'listOpenAiFiles',
        summary: 'Files, newest first',
        tags: ['openai'],
        querystring: exactly({
          ...listQuery(LIMITS),
          order: Type.Optional(oneOfTexts(['asc', 'desc'], { description: 'By when they were made.' })),
          purpose: Type.Optional(
            Type.String({ minLength: 1, description: 'Only those of it: `batch` or `batch_output`.' }),
          ),
        }),
        response: {
          ...ALWAYS,
          200: json('A page of them.', listOf(OPENAI_FILE)),
          400: openAiProblem('A question cannot be read.'),
        },
      },
    },
    async ({ principal, query }) => {
      const { limit = LIMITS.default, after } = query
      // Its file may be gone: whoever deletes page by page goes on all the same.
      if (after !== undefined && !FILE_ID.test(after)) throw unknownCursor('file')
      const found = await listFiles(service.files(principal.tenantNo), query, limit + 1)
      return listPage(found.map(fileJson), limit)
    },
  )
  app.get(
    '/v1/files/:id',
    {
      config: { scope: 'read', errors },
      schema: {
        operationId: 'getOpenAiFile',
        summary: 'A file',
        tags: ['openai'],
        params: BY_ID,
        response: { ...ALWAYS, 200: json('What is known of it.', ref(OPENAI_FILE)), 404: NOT_FOUND },
      },
    },
    async ({ principal, params }) => fileJson(await findFile(service.files(principal.tenantNo), params.id)),
  )
}

function addContent(app: App, deps: HttpDeps): void {
  app.get(
    '/v1/files/:id/content',
    {
      config: { scope: 'read', errors },
      schema: {
        operationId: 'getOpenAiFileContent',
        summary: "A file's bytes, or some of them",
        tags: ['openai'],
        params: BY_ID,
        response: {
          ...ALWAYS,
          200: {
            description: 'All of them.',
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
          206: {
            description: 'Those that `Range` asks for.',
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
          404: NOT_FOUND,
          416: openAiProblem('The file has no such bytes.'),
        },
      },
    },
    async (request, reply) => {
      const files = deps.service.files(request.principal.tenantNo)
      const file = await findFile(files, request.params.id)
      const { send } = await openStreams(deps).open(request, reply, 'download')
      const range = byteRange(request.headers.range, file.bytes)
      const { from, to } = range ?? { from: 0, to: file.bytes }
      void reply
        .code(range === null ? 200 : 206)
        .type('application/octet-stream')
        .header('accept-ranges', 'bytes')
        .header('content-length', to - from)
        .header('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(file.name)}`)
      if (range !== null) void reply.header('content-range', `bytes ${from}-${to - 1}/${file.bytes}`)
      return send(files.read(file.id, { from, to }))
    },
  )
}

function addDelete(app: App, deps: HttpDeps): void {
  app.delete(
    '/v1/files/:id',
    {
      config: { scope: 'submit', errors },
      schema: {
        operationId: 'deleteOpenAiFile',
        summary: 'Delete a file',
        tags: ['openai'],
        params: BY_ID,
        response: { ...ALWAYS, 200: json('It is gone.', ref(OPENAI_FILE_DELETED)), 404: NOT_FOUND },
      },
    },
    async (request) => {
      const files = deps.service.files(request.principal.tenantNo)
      const { id } = await findFile(files, request.params.id)
      await files.remove(id)
      await audit(deps, request, 'file.delete', id)
      return { id, object: 'file' as const, deleted: true }
    },
  )
}

/** Whether a file is one of OpenAI's, and whole. */
function isTheirs({ state, purpose }: StoredFile): boolean {
  return state === 'ready' && (purpose === 'batch' || purpose === 'batch_output')
}

async function findFile(files: FileDesk, id: string): Promise<StoredFile> {
  const file = await files.get(id)
  if (!isTheirs(file)) throw new SluiceError('file_not_found', `there is no file ${id} here`)
  return file
}

interface FileQuery {
  readonly after?: string
  readonly order?: 'asc' | 'desc'
  readonly purpose?: string
}

async function listFiles(
  files: FileDesk,
  { after, order = 'desc', purpose }: FileQuery,
  limit: number,
): Promise<readonly StoredFile[]> {
  const found: StoredFile[] = []
  for (let last = after; found.length < limit; ) {
    const page = await files.list({ limit: PAGE, order, ...(last !== undefined && { after: last }) })
    found.push(...page.filter((file) => isTheirs(file) && (purpose === undefined || file.purpose === purpose)))
    last = page.at(-1)?.id
    if (page.length < PAGE) break
  }
  return found.slice(0, limit)
}

function fileJson({ id, bytes, createdAtMs, expiresAtMs, name, purpose }: StoredFile): OpenAiFile {
  return {
    id,
    object: 'file',
    bytes,
    created_at: Math.floor(createdAtMs / 1000),
    ...(expiresAtMs !== null && { expires_at: Math.floor(expiresAtMs / 1000) }),
    filename: name,
    purpose: purpose === 'batch' ? 'batch' : 'batch_output',
    status: 'processed',
    status_details: null,
  }
}

/** Aborts when the sender of a request has gone before all of it came. */
function whileSending({ raw }: FastifyRequest): AbortSignal {
  const gone = new AbortController()
  raw.once('close', () => {
    if (!raw.complete) gone.abort(new SluiceError('request_invalid', 'the upload broke off'))
  })
  return gone.signal
}
