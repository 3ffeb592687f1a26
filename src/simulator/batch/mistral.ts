import type { WireReply } from '../ask.ts'
import { openAiChat } from '../openai-chat.ts'
import { isRecord } from '../schema.ts'
import type { Batch, StoredFile } from './batch.ts'
import { type Book, uuidOf } from './book.ts'
import { progressOf } from './course.ts'
import { download } from './download.ts'
import { type BatchCall, type BatchReply, json, jsonOf, queryOf, Refused } from './exchange.ts'
import { mistralLines } from './mistral-lines.ts'
import { uploadForm } from './openai-files.ts'
import type { BatchRoute } from './route.ts'
import { linesOf } from './shelf.ts'
import { takeInEach } from './take-in.ts'

const HOUR_MS = 3_600_000
const WEEK_HOURS = 7 * 24
const MAX_INLINE = 10_000

/** Mistral's words at the door. */
const door = Object.freeze({
  requestIdHeader: 'mistral-correlation-id',
  refuse: (refusal: Parameters<typeof openAiChat.refuse>[0], id: string): WireReply =>
    refusal.kind === 'invalid_key' ? reply(401, { detail: 'Unauthorized' }) : openAiChat.refuse(refusal, id),
})

/** Mistral's batch jobs, and its files where the path says `/mistral/`; elsewhere OpenAI's files serve as well. */
export function mistralRoutes(book: Book): readonly BatchRoute[] {
  const at = { provider: 'mistral', shape: door } as const
  const jobOr404 = (id: string) => book.batch('mistral', id) ?? refuse(404, `Batch job ${id} not found.`)
  const fileOr404 = (id: string) => book.file(id) ?? refuse(404, `File ${id} not found.`)
  const look = async (call: BatchCall, id: string) =>
    json(await jobObject(book, jobOr404(id), queryOf(call).get('inline') === 'true'))
  return [
    { ...at, name: 'create', method: 'POST', pattern: /\/batch\/jobs$/, answer: (call) => create(book, call) },
    { ...at, name: 'list', method: 'GET', pattern: /\/batch\/jobs$/, answer: (call) => list(book, call) },
    { ...at, name: 'look', method: 'GET', pattern: /\/batch\/jobs\/([^/]+)$/, answer: look },
    {
      ...at,
      name: 'cancel',
      method: 'POST',
      pattern: /\/batch\/jobs\/([^/]+)\/cancel$/,
      answer: async (_, id) => {
        book.cancel(jobOr404(id))
        return json(await jobObject(book, jobOr404(id), false))
      },
    },
    { ...at, name: 'upload', method: 'POST', pattern: /\/mistral\/.*\/files$/, answer: (call) => upload(book, call) },
    {
      ...at,
      name: 'file',
      method: 'GET',
      pattern: /\/mistral\/.*\/files\/([^/]+)$/,
      answer: (_, id) => json(fileObject(fileOr404(id))),
    },
    {
      ...at,
      name: 'content',
      method: 'GET',
      pattern: /\/mistral\/.*\/files\/([^/]+)\/content$/,
      answer: (_, id) => download(book, fileOr404(id), 'application/octet-stream'),
    },
    {
      ...at,
      name: 'remove',
      method: 'DELETE',
      pattern: /\/mistral\/.*\/files\/([^/]+)$/,
      answer: async (_, id) => {
        await book.drop(fileOr404(id))
        return json({ id, object: 'file', deleted: true })
      },
    },
  ]
}

function reply(status: number, body: object): WireReply {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

function refuse(status: number, message: string, type = 'invalid_request_error', code: string | null = null): never {
  throw new Refused(reply(status, { object: 'error', message, type, param: null, code }))
}

async function upload(book: Book, call: BatchCall): Promise<BatchReply> {
  const form = await uploadForm(book, call, 'mistral', mistralLines)
  if (form === null || form.file === null) return refuse(422, 'file: Field required')
  return json(fileObject(form.file))
}

function fileObject(file: StoredFile): object {
  return {
    id: file.id,
    object: 'file',
    bytes: file.bytes,
    created_at: Math.floor(file.createdMs / 1000),
    filename: file.name,
    purpose: 'batch',
    sample_type: file.survey === null ? 'batch_result' : 'batch_request',
    num_lines: file.survey?.requests ?? null,
    mimetype: 'application/jsonl',
    source: file.survey === null ? 'mistral' : 'upload',
    signature: null,
    expires_at: null,
    visibility: 'workspace',
  }
}

async function create(book: Book, call: BatchCall): Promise<BatchReply> {
  const told = await jsonOf(call.body)
  const { model, metadata = null, endpoint, timeout_hours: hours = 24 } = told
  if (endpoint !== '/v1/chat/completions') return refuse(422, `endpoint: '${endpoint}' is not simulated`)
  if (typeof model !== 'string' || model === '') return refuse(422, 'model: Field required')
  if (typeof hours !== 'number' || !(hours > 0 && hours <= WEEK_HOURS)) return refuse(422, 'timeout_hours: invalid')
  const isInline = told.requests !== undefined
  const input = isInline ? await takeInInline(book, told.requests) : fileOf(book, told.input_files)
  if (input === null || input.survey === null) return refuse(404, 'The input file was not found.')
  const batch = book.create({
    provider: 'mistral',
    format: mistralLines,
    input,
    survey: { ...input.survey, failures: input.survey.failures.filter(({ code }) => code === 'invalid_json_line') },
    model,
    endpoint,
    shard: isRecord(metadata) && typeof metadata.sluice_shard === 'string' ? metadata.sluice_shard : null,
    told: { metadata },
    isInline,
    id: uuidOf,
    windowMs: hours * HOUR_MS,
    whenFull: ({ limit, what }) =>
      refuse(429, `The limit of ${limit} pending ${what} is reached.`, 'rate_limit_exceeded', '1300'),
  })
  return json(await jobObject(book, batch, false))
}

function fileOf(book: Book, ids: unknown): StoredFile | null {
  if (!Array.isArray(ids) || ids.length !== 1) return refuse(422, 'input_files: expected one file')
  return book.file(String(ids[0]))
}

function takeInInline(book: Book, requests: unknown): Promise<StoredFile> {
  const list = Array.isArray(requests) ? requests : []
  if (list.length === 0 || list.length > MAX_INLINE) refuse(422, `requests: expected 1 to ${MAX_INLINE}`)
  return takeInEach(
    book,
    'mistral',
    mistralLines,
    list.map((one) => Buffer.from(JSON.stringify(one))),
  )
}

async function list(book: Book, call: BatchCall): Promise<BatchReply> {
  const query = queryOf(call)
  const size = Math.max(1, Number(query.get('page_size') ?? 100) || 100)
  const from = size * (Number(query.get('page') ?? 0) || 0)
  const since = query.get('created_after')
  const sinceMs = since === null ? Number.NEGATIVE_INFINITY : new Date(since).getTime()
  const states = query.getAll('status')
  const all = book
    .list('mistral')
    .filter((batch) => batch.course.createdMs >= sinceMs)
    .filter((batch) => states.length === 0 || states.includes(statusOf(book, batch)))
  const data = await Promise.all(all.slice(from, from + size).map((batch) => jobObject(book, batch, null)))
  return json({ object: 'list', data, total: all.length })
}

const ENDS = { completed: 'SUCCESS', expired: 'TIMEOUT_EXCEEDED', cancelled: 'CANCELLED', failed: 'FAILED' } as const

function statusOf(book: Book, batch: Batch): string {
  const phase = book.phase(batch)
  if (phase === 'ended') return ENDS[batch.course.end]
  if (phase === 'cancelling') return 'CANCELLATION_REQUESTED'
  return phase === 'validating' ? 'QUEUED' : 'RUNNING'
}

/** The job; with its results where it was made of requests in its call, or where that is asked for. `null`: never with them. */
async function jobObject(book: Book, batch: Batch, isAsked: boolean | null): Promise<object> {
  const { course, counts, survey, id, output, errors } = batch
  const endedMs = book.endedMs(batch)
  const nowMs = book.house.options.nowMs()
  const isSeen = course.end !== 'failed' && nowMs >= course.validatedMs
  const progress = isSeen ? Math.floor(progressOf(course, nowMs) * survey.requests) : 0
  const done = endedMs === null ? progress : counts.succeeded + counts.failed
  const outputs =
    endedMs !== null && (isAsked === true || (isAsked === false && batch.isInline)) ? await inline(book, batch) : null
  return {
    id,
    object: 'batch',
    input_files: [batch.input.id],
    metadata: batch.told.metadata,
    endpoint: batch.endpoint,
    model: batch.model,
    agent_id: null,
    output_file: endedMs === null ? null : (output?.id ?? null),
    error_file: endedMs === null ? null : (errors?.id ?? null),
    errors: endedMs !== null && course.failure !== null ? [{ message: course.failure.message, count: 1 }] : [],
    outputs,
    status: statusOf(book, batch),
    created_at: Math.floor(course.createdMs / 1000),
    total_requests: isSeen ? survey.requests : 0,
    completed_requests: done,
    succeeded_requests: endedMs === null ? progress : counts.succeeded,
    failed_requests: endedMs === null ? 0 : counts.failed,
    started_at: isSeen ? Math.floor(course.validatedMs / 1000) : null,
    completed_at: endedMs === null ? null : Math.floor(endedMs / 1000),
  }
}

async function inline(book: Book, { output, errors }: Batch): Promise<readonly unknown[]> {
  const outputs: unknown[] = []
  for (const file of [output, errors]) {
    if (file === null) continue
    for await (const line of linesOf(book.shelf.read(file.path))) {
      const value = jsonOrNull(line.toString())
      if (value !== null) outputs.push(value)
    }
  }
  return outputs
}

/** `null` for a broken line: what is no JSON cannot stand in a list of it. */
function jsonOrNull(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
