import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Download } from '../service.ts'
import { exactly, oneOfTexts, problem } from './answer.ts'
import { byteRange } from './byte-range.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { openStreams } from './open-stream.ts'

const TYPES = Object.freeze({
  csv: 'text/csv; charset=utf-8',
  jsonl: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
})

const PATH = '/api/v1/jobs/:id/results/download'

const PARAMS = exactly({ id: Type.String({ description: 'The id of the job.' }) })

const QUERY = exactly({
  format: Type.Optional(oneOfTexts(['csv', 'jsonl', 'parquet'], { description: 'csv, where nothing is said.' })),
  only: Type.Optional(oneOfTexts(['ok', 'failed'], { description: 'Only these rows.' })),
  safe_csv: Type.Optional(
    oneOfTexts(['0', '1'], { description: '1: cells are disarmed that a spreadsheet would run.' }),
  ),
  include_input: Type.Optional(oneOfTexts(['0', '1'], { description: '0: without the columns of the input.' })),
})

interface Query {
  readonly format?: keyof typeof TYPES
  readonly only?: 'ok' | 'failed'
  readonly safe_csv?: '0' | '1'
  readonly include_input?: '0' | '1'
}

type DownloadCall = FastifyRequest<{ Params: { id: string }; Querystring: Query }>

const DESCRIPTION = `The result table in input order, as one file. Of a job that is over it is made once, and does not change: \`Range\`, \`If-Range\`, \`ETag\`
and \`If-None-Match\` are heeded. Of a job that is not, it is the table as it stands now (rows without an outcome are \`pending\`), without ranges.
Scope: \`read\`.`

const FILE = {
  content: Object.fromEntries(
    Object.values(TYPES).map((type) => [type, { schema: Type.String({ format: 'binary' }) }]),
  ),
}

/** Results as one file. */
export function downloadRoutes(app: App, deps: HttpDeps): void {
  const schema = {
    operationId: 'downloadResults',
    summary: 'The result table as one file',
    description: DESCRIPTION,
    tags: ['results'],
    params: PARAMS,
    querystring: QUERY,
    response: {
      200: { description: 'The file.', ...FILE },
      206: { description: 'A part of the file.', ...FILE },
      304: { description: 'It is what `If-None-Match` names.', type: 'null' },
      404: problem('No such job.'),
      409: problem('Its input is not read in full, or its rows are not kept any more.'),
      416: problem('The file is shorter than that.'),
    },
  }
  const options = { exposeHeadRoute: false, config: { scope: 'read' as const } }
  app.get(PATH, { ...options, schema }, (request, reply) => download(deps, request as DownloadCall, reply))
  app.head(PATH, { ...options, schema: { ...schema, operationId: 'headResults', hide: true } }, (request, reply) =>
    download(deps, request as DownloadCall, reply),
  )
}

async function download(deps: HttpDeps, request: DownloadCall, reply: FastifyReply): Promise<FastifyReply> {
  const { format = 'csv', only, safe_csv, include_input } = request.query
  const { signal, send } = await openStreams(deps).open(request, reply, 'download')
  const file = await deps.service.transfers(request.principal.tenantNo).download(request.params.id, {
    format,
    ...(only && { only }),
    safeCsv: safe_csv === '1',
    includeInput: include_input !== '0',
    signal,
  })
  void reply.type(TYPES[format]).header('content-disposition', `attachment; filename="${file.name}"`)
  if (file.kind === 'file') return sendFile(file, request, reply, send)
  void reply.headers({ 'accept-ranges': 'none', 'cache-control': 'no-store' })
  return request.method === 'HEAD' ? reply.send() : send(file.bytes)
}

function sendFile(
  file: Extract<Download, { kind: 'file' }>,
  request: DownloadCall,
  reply: FastifyReply,
  send: (blocks: AsyncIterable<Buffer>) => FastifyReply,
): FastifyReply {
  const etag = `"${file.tag}"`
  const { headers, method } = request
  void reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': 'private, no-cache' })
  if (namesTag(headers['if-none-match'], etag)) return reply.code(304).send()
  const condition = headers['if-range']
  // Ranges are of GET alone; a part of another file than this one would be of no use.
  const wanted = method === 'GET' && (condition === undefined || condition === etag) ? headers.range : undefined
  void reply.header('content-range', `bytes */${file.bytes}`)
  const range = byteRange(wanted, file.bytes)
  const { from, to } = range ?? { from: 0, to: file.bytes }
  if (range === null) void reply.removeHeader('content-range')
  else void reply.code(206).header('content-range', `bytes ${from}-${to - 1}/${file.bytes}`)
  void reply.header('content-length', to - from)
  return method === 'HEAD' ? reply.send() : send(file.read({ from, to }))
}

function namesTag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag)
}
