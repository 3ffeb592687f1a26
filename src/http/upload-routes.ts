import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { isUnbegun } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { StoredFile } from '../service.ts'
import { exactly, json, nullable, oneOfTexts, problem, ref } from './answer.ts'
import { audit } from './audit-entry.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { receiveUpload } from './receive-upload.ts'
import { digestHeader, readUpload } from './upload-headers.ts'

const PATH = '/api/v1/jobs/:id/input'

const PARAMS = exactly({ id: Type.String({ description: 'The id of the job.' }) })

const INPUT = exactly(
  {
    job_id: Type.String(),
    file_id: Type.String(),
    name: Type.String(),
    state: oneOfTexts(['open', 'ready', 'refused'], {
      description: '`open`: bytes are missing. `ready`: it is whole and checked. `refused`: send it again.',
    }),
    bytes: Type.Integer({ description: 'Bytes that are there, in order and without a gap; also in `Upload-Offset`.' }),
    sha256: nullable(Type.String({ description: 'Of all of it; null until it is whole.' })),
    note: nullable(Type.String({ description: 'Why it was refused.' })),
  },
  { $id: 'Input', description: 'The input of a job, as far as it is there.' },
)

const DESCRIPTION = `Send the whole file as the body, of any content type. Or send it in parts, each with \`Content-Range: bytes <first>-<last>/<total>\`
(\`*\` for a total that is not known yet), each where the last one ended. What came of a body whose connection broke is kept: ask with HEAD how far it
came (\`Upload-Offset\`), and go on there. \`Content-Range: bytes */<total>\` without a body says that all is sent. \`Repr-Digest: sha-256=:…:\` is checked against
the whole, \`Content-Digest\` against the body. Before a file counts, its type, its header and the columns that the spec and \`columns_hint\` name are looked at.
Scope: \`submit\`.`

/** Upload of a job's input: at once or in parts, resumable, checked before it counts. */
export function uploadRoutes(app: App, deps: HttpDeps): void {
  app.addSchema(INPUT)
  // The body is a stream to us, whatever it says it is.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.put(
    PATH,
    {
      config: { scope: 'submit' },
      schema: {
        operationId: 'putInput',
        summary: "Upload a job's input, whole or in parts",
        description: DESCRIPTION,
        tags: ['input'],
        params: PARAMS,
        response: {
          200: json('It was there already.', ref(INPUT)),
          201: json('It is whole, and checked.', ref(INPUT)),
          202: json('Bytes are missing: go on at `Upload-Offset`.', ref(INPUT)),
          400: problem('A digest that cannot be read.'),
          404: problem('No such job.'),
          409: problem('The job takes no input any more, or the range does not begin at `Upload-Offset`.'),
          413: problem('The file is larger than the server takes.'),
          415: problem('The body is packed on the way.'),
          416: problem('The range cannot be.'),
          422: problem('The file is refused; `errors` says why. It can be sent again.'),
          503: problem('The server stops, or its storage does not answer: go on at `Upload-Offset` later.'),
          507: problem('The server has no room left.'),
        },
      },
    },
    (request, reply) => put(deps, request, reply),
  )
  app.get(
    PATH,
    {
      config: { scope: 'submit' },
      schema: {
        operationId: 'getInput',
        summary: 'How much of an upload is there',
        tags: ['input'],
        params: PARAMS,
        response: {
          200: json('How it stands; `Upload-Offset` says where to go on.', ref(INPUT)),
          404: problem('No such job.'),
          409: problem('The job takes no upload, or has read it: it is not kept then.'),
        },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const file = await fileOf(deps, request.principal.tenantNo, id)
      return answer(reply.code(200), id, file)
    },
  )
}

async function put(deps: HttpDeps, request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply) {
  const { service, config } = deps
  const { tenantNo } = request.principal
  const { id } = request.params
  const files = service.files(tenantNo)
  await assertWaits(deps, tenantNo, id)
  const file = await fileOf(deps, tenantNo, id)
  try {
    const upload = readUpload(request.headers)
    const check = (whole: Parameters<ReturnType<HttpDeps['service']['transfers']>['checkInput']>[1]) =>
      service.transfers(tenantNo).checkInput(id, whole)
    const receiver = { files, check, maxBytes: config.limits.uploadBytes, signal: deps.stopping }
    const now = await receiveUpload(receiver, file, upload, request.raw)
    if (now.state === 'open') return answer(reply.code(202), id, now)
    if (file.state === 'ready') return answer(reply.code(200), id, now)
    await audit(deps, request, 'job.input', id, `${now.bytes} bytes`)
    return answer(reply.code(201), id, now)
  } catch (error) {
    // Whoever broke off hears nothing any more.
    if (request.raw.destroyed && !request.raw.complete) return reply.hijack()
    const now = await files.get(file.id)
    sayOffset(reply, now)
    throw deps.stopping.aborted ? stopping() : error
  }
}

async function fileOf(deps: HttpDeps, tenantNo: number, jobId: string): Promise<StoredFile> {
  const { service } = deps
  const { fileId } = await service.jobs(tenantNo).input(jobId)
  if (fileId === null) {
    throw new SluiceError('job_state', `${jobId} reads its input from where its spec says, and takes no upload`)
  }
  return service
    .files(tenantNo)
    .get(fileId)
    .catch(async (error: unknown) => {
      // Of a job that has read it, it is not kept.
      await assertWaits(deps, tenantNo, jobId)
      throw error
    })
}

async function assertWaits({ service }: HttpDeps, tenantNo: number, jobId: string): Promise<void> {
  const { job } = await service.engine(tenantNo).status(jobId)
  if (isUnbegun(job)) return
  const what = job.begunAtMs === undefined ? `is ${job.state}` : 'was started'
  throw new SluiceError('job_state', `${jobId} ${what}, and takes no input any more`, {
    hint: 'Create another job for another input.',
  })
}

function stopping(): SluiceError {
  return new SluiceError('stopping', 'the server stops; what came of the file is kept')
}

function sayOffset(reply: FastifyReply, { bytes }: StoredFile): void {
  void reply.header('upload-offset', bytes)
  if (bytes > 0) void reply.header('range', `bytes=0-${bytes - 1}`)
}

function answer(reply: FastifyReply, jobId: string, file: StoredFile): FastifyReply {
  sayOffset(reply, file)
  void reply.header('cache-control', 'no-store')
  if (file.sha256 !== null && file.state === 'ready') void reply.header('repr-digest', digestHeader(file.sha256))
  const { id, name, state, bytes, sha256, note } = file
  return reply.send({ job_id: jobId, file_id: id, name, state, bytes, sha256: sha256 || null, note })
}
