import { type Static, Type } from 'typebox'
import { ENDPOINTS, kindOf } from '../../chat/batch-line.ts'
import type { ChatKind } from '../../domain/chat.ts'
import { COMPLETION_WINDOW } from '../../engine/openai-desk.ts'
import { SluiceError } from '../../errors.ts'
import { exactly, json, oneOfTexts, ref } from '../answer.ts'
import { audit } from '../audit-entry.ts'
import type { App, HttpDeps } from '../http-deps.ts'
import { batchJson } from './batch-json.ts'
import { listPage, listQuery, unknownCursor } from './list-page.ts'
import { invalidParam } from './openai-error.ts'
import { compileParamCheck } from './param-check.ts'
import { ALWAYS, EXPIRES_S, listOf, OPENAI_BATCH, openAiProblem } from './schema.ts'

const LIMITS = { default: 20, maximum: 100 } as const
const SECOND_MS = 1_000

/** What OpenAI takes as metadata. */
const METADATA = Type.Unsafe<Readonly<Record<string, string>> | null>({
  type: ['object', 'null'],
  maxProperties: 16,
  propertyNames: { maxLength: 64 },
  additionalProperties: { type: 'string', maxLength: 512 },
})

const CREATE = exactly(
  {
    input_file_id: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'A file that was uploaded with the purpose `batch`.',
    }),
    endpoint: Type.String({ description: '`/v1/chat/completions` or `/v1/responses`.' }),
    completion_window: Type.String({ description: 'Only `24h`.' }),
    metadata: Type.Optional(METADATA),
    output_expires_after: Type.Optional(
      exactly(
        { anchor: oneOfTexts(['created_at']), seconds: Type.Integer(EXPIRES_S) },
        {
          description:
            'For how long its output and error files are kept, from when each was made. Absent: until they are deleted.',
        },
      ),
    ),
  },
  { description: 'A batch to be made.' },
)

const BY_ID = exactly({ id: Type.String() })
const NOT_FOUND = openAiProblem('There is no such batch.')
const errors = 'openai' as const

/** Adds OpenAI's batches. */
export function batchRoutes(app: App, deps: HttpDeps): void {
  addCreate(app, deps)
  addLooks(app, deps)
  addCancel(app, deps)
}

function addCreate(app: App, deps: HttpDeps): void {
  const { service, config } = deps
  app.post(
    '/v1/batches',
    {
      config: { scope: 'submit', errors, idempotent: true },
      validatorCompiler: compileParamCheck,
      schema: {
        operationId: 'createOpenAiBatch',
        summary: 'Make a batch of the requests in a file',
        tags: ['openai'],
        body: CREATE,
        response: {
          ...ALWAYS,
          200: json('The batch, whose file is being checked.', ref(OPENAI_BATCH)),
          400: openAiProblem('Something in it cannot be done.'),
        },
      },
    },
    async (request) => {
      const { tenantNo, tenantName } = request.principal
      const { input_file_id: inputFileId, metadata = null, output_expires_after: expires } = request.body
      const kind = kindFor(request.body)
      const filesKeptMs = expires === undefined ? null : expires.seconds * SECOND_MS
      const { tenants, others } = config.openAiNotify
      const target = (Object.hasOwn(tenants, tenantName) ? tenants[tenantName] : null) ?? others
      const notify = target === null ? null : JSON.stringify(target)
      const id = `batch_${request.mintedId}`
      const view = await service
        .openAi(tenantNo)
        .create({ id, inputFileId, kind, metadata, filesKeptMs, notify })
        .catch((error: unknown) => {
          if (error instanceof SluiceError && error.code === 'input_missing')
            throw invalidParam('input_file_id', error.message)
          throw error
        })
      await audit(deps, request, 'batch.create', id)
      return batchJson(view)
    },
  )
}

function addLooks(app: App, { service }: HttpDeps): void {
  app.get(
    '/v1/batches',
    {
      config: { scope: 'read', errors },
      validatorCompiler: compileParamCheck,
      schema: {
        operationId: 'listOpenAiBatches',
        summary: 'Batches, newest first',
        tags: ['openai'],
        querystring: exactly(listQuery(LIMITS)),
        response: {
          ...ALWAYS,
          200: json('A page of them.', listOf(OPENAI_BATCH)),
          400: openAiProblem('A question cannot be read.'),
        },
      },
    },
    async ({ principal, query: { after, limit = LIMITS.default } }) => {
      const batches = service.openAi(principal.tenantNo)
      // Batches stay, so that one which is not there never was.
      if (after !== undefined) await batches.get(after).catch(asUnknownCursor)
      const found = await batches.list({ limit: limit + 1, ...(after !== undefined && { after }) })
      return listPage(found.map(batchJson), limit)
    },
  )
  app.get(
    '/v1/batches/:id',
    {
      config: { scope: 'read', errors },
      schema: {
        operationId: 'getOpenAiBatch',
        summary: 'A batch',
        tags: ['openai'],
        params: BY_ID,
        response: { ...ALWAYS, 200: json('The batch as it stands.', ref(OPENAI_BATCH)), 404: NOT_FOUND },
      },
    },
    async ({ principal, params }) => batchJson(await service.openAi(principal.tenantNo).get(params.id)),
  )
}

function addCancel(app: App, deps: HttpDeps): void {
  app.post(
    '/v1/batches/:id/cancel',
    {
      config: { scope: 'operate', errors },
      schema: {
        operationId: 'cancelOpenAiBatch',
        summary: 'End a batch early; what is answered is delivered',
        tags: ['openai'],
        params: BY_ID,
        response: {
          ...ALWAYS,
          200: json('The batch, which comes to its end.', ref(OPENAI_BATCH)),
          404: NOT_FOUND,
          409: openAiProblem('It has come to its end already.'),
        },
      },
    },
    async (request) => {
      const view = await deps.service.openAi(request.principal.tenantNo).cancel(request.params.id)
      await audit(deps, request, 'batch.cancel', view.batch.id)
      return batchJson(view)
    },
  )
}

/** The kind of requests that are asked for. Throws SluiceError `request_invalid` for endpoints and windows that are not to be had. */
function kindFor({ endpoint, completion_window: window }: Static<typeof CREATE>): ChatKind {
  if (window !== COMPLETION_WINDOW)
    throw invalidParam(
      'completion_window',
      `Invalid value for 'completion_window': only '${COMPLETION_WINDOW}' is supported.`,
    )
  const kind = kindOf(endpoint)
  if (kind !== null) return kind
  if (endpoint === '/v1/embeddings') {
    throw invalidParam('endpoint', 'Embeddings are not supported: rows can be texts and JSON, and no vectors yet.')
  }
  throw invalidParam(
    'endpoint',
    `Invalid value for 'endpoint': supported are ${Object.values(ENDPOINTS).join(' and ')}.`,
  )
}

function asUnknownCursor(error: unknown): never {
  throw error instanceof SluiceError && error.code === 'batch_not_found' ? unknownCursor('batch') : error
}
