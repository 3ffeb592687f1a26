import { gemini } from '../gemini.ts'
import { isRecord } from '../schema.ts'
import type { Batch, StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import { type BatchCall, type BatchReply, json, jsonOf, queryOf, Refused } from './exchange.ts'
import { geminiError } from './gemini-files.ts'
import { geminiLines } from './gemini-lines.ts'
import type { BatchRoute } from './route.ts'
import { linesOf } from './shelf.ts'
import { takeInEach } from './take-in.ts'

const WINDOW_MS = 48 * 3_600_000
const TYPE = 'type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch'
const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' }

/** Gemini's batches, which are operations that carry their batch as metadata. */
export function geminiRoutes(book: Book): readonly BatchRoute[] {
  const at = { provider: 'gemini', shape: gemini } as const
  const batchOr404 = (id: string) =>
    book.batch('gemini', `batches/${id}`) ?? geminiError(404, 'NOT_FOUND', `Batch batches/${id} not found.`)
  return [
    {
      ...at,
      name: 'create',
      method: 'POST',
      pattern: /\/models\/([^/:]+):batchGenerateContent$/,
      answer: async (call, model) => json(await operation(book, await create(book, call, model), true), JSON_TYPE),
    },
    { ...at, name: 'list', method: 'GET', pattern: /\/v1beta\/batches$/, answer: (call) => list(book, call) },
    {
      ...at,
      name: 'look',
      method: 'GET',
      pattern: /\/v1beta\/batches\/([^/:]+)$/,
      answer: async (_, id) => json(await operation(book, batchOr404(id), true), JSON_TYPE),
    },
    {
      ...at,
      name: 'cancel',
      method: 'POST',
      pattern: /\/v1beta\/batches\/([^/:]+):cancel$/,
      answer: (_, id) => {
        book.cancel(batchOr404(id))
        return json({}, JSON_TYPE)
      },
    },
    {
      ...at,
      name: 'remove',
      method: 'DELETE',
      pattern: /\/v1beta\/batches\/([^/:]+)$/,
      answer: (_, id) => {
        batchOr404(id).isDeleted = true
        return json({}, JSON_TYPE)
      },
    },
  ]
}

async function create(book: Book, call: BatchCall, modelInPath: string): Promise<Batch> {
  const { batch: asked } = await jsonOf(call.body)
  const { displayName = null, inputConfig } = isRecord(asked) ? asked : {}
  if (!isRecord(inputConfig)) return geminiError(400, 'INVALID_ARGUMENT', 'batch.input_config: required')
  const isInline = inputConfig.fileName === undefined
  const input = isInline ? await takeInInline(book, inputConfig.requests) : book.file(String(inputConfig.fileName))
  if (input === null || input.survey === null)
    return geminiError(404, 'NOT_FOUND', `File ${String(inputConfig.fileName)} not found.`)
  if (input.survey.requests === 0) return geminiError(400, 'INVALID_ARGUMENT', 'The batch has no requests.')
  const model = decodeURIComponent(modelInPath)
  return book.create({
    provider: 'gemini',
    format: geminiLines,
    input,
    // Keys are the caller's own business: they may be missing, or be there twice.
    survey: { ...input.survey, failures: input.survey.failures.filter(({ code }) => code === 'invalid_json_line') },
    model,
    endpoint: ':generateContent',
    shard: typeof displayName === 'string' ? displayName : null,
    told: { displayName },
    isInline,
    id: (digits) => `batches/${digits}`,
    windowMs: WINDOW_MS,
    whenFull: ({ model, limit, what }) => {
      const hit = { scope: what, limit, used: limit, requested: 1, retryAfterMs: null }
      throw new Refused(gemini.refuse({ kind: 'rate_limited', model, limit: hit }, ''))
    },
  })
}

/** Requests that came in the call: their metadata is kept, and given back with their results. */
function takeInInline(book: Book, requests: unknown): Promise<StoredFile> {
  const list = isRecord(requests) && Array.isArray(requests.requests) ? requests.requests.filter(isRecord) : []
  const lines = list.map(({ request, metadata }) =>
    Buffer.from(JSON.stringify({ key: metadata === undefined ? '{}' : JSON.stringify(metadata), request })),
  )
  return takeInEach(book, 'gemini', geminiLines, lines)
}

async function list(book: Book, call: BatchCall): Promise<BatchReply> {
  const query = queryOf(call)
  const size = Math.min(1000, Math.max(1, Number(query.get('pageSize') ?? 20) || 20))
  const from = Number(query.get('pageToken') ?? 0) || 0
  const all = book.list('gemini')
  const page = all.slice(from, from + size)
  const next = from + page.length < all.length ? { nextPageToken: String(from + page.length) } : {}
  const operations = await Promise.all(page.map((batch) => operation(book, batch, false)))
  return json({ ...(operations.length > 0 && { operations }), ...next }, JSON_TYPE)
}

/** The batch as an operation; with its results where they came in the call itself, and where that is asked for. */
async function operation(book: Book, batch: Batch, isWhole: boolean): Promise<object> {
  const { course, model, id, told, survey, counts } = batch
  const endedMs = book.endedMs(batch)
  const phase = book.phase(batch)
  const output = endedMs === null ? null : await outputOf(book, batch, isWhole)
  const updatedMs = endedMs ?? Math.max(course.createdMs, Math.min(course.validatedMs, book.house.options.nowMs()))
  const state = phase === 'validating' ? 'PENDING' : phase === 'ended' ? STATES[course.end] : 'RUNNING'
  const metadata = {
    '@type': TYPE,
    model: `models/${model}`,
    ...(told.displayName !== null && { displayName: told.displayName }),
    ...(output !== null && { output }),
    createTime: nanoTime(course.createdMs),
    ...(endedMs !== null && { endTime: nanoTime(endedMs) }),
    updateTime: nanoTime(updatedMs),
    batchStats: {
      requestCount: String(survey.requests),
      ...(endedMs === null && { pendingRequestCount: String(survey.requests) }),
      ...(endedMs !== null && counts.succeeded > 0 && { successfulRequestCount: String(counts.succeeded) }),
      ...(endedMs !== null && counts.failed > 0 && { failedRequestCount: String(counts.failed) }),
    },
    state: `BATCH_STATE_${state}`,
    name: id,
  }
  if (endedMs === null) return { name: id, metadata }
  if (course.end === 'completed') {
    return { name: id, metadata, done: true, response: { '@type': `${TYPE}Output`, ...output } }
  }
  return { name: id, metadata, done: true, error: errorOf(batch) }
}

const STATES = { completed: 'SUCCEEDED', expired: 'EXPIRED', cancelled: 'CANCELLED', failed: 'FAILED' } as const

function errorOf({ course }: Batch): object {
  if (course.end === 'cancelled') return { code: 1, message: 'The operation was cancelled.' }
  if (course.end === 'expired') return { code: 4, message: 'The batch expired before it could be completed.' }
  return { code: 3, message: `Line ${course.failure?.line ?? 1}: ${course.failure?.message}` }
}

async function outputOf(book: Book, { isInline, output }: Batch, isWhole: boolean): Promise<object | null> {
  if (output === null) return null
  if (!isInline) return { responsesFile: output.id }
  if (!isWhole) return null
  const inlinedResponses: object[] = []
  for await (const line of linesOf(book.shelf.read(output.path))) {
    const parsed = parsedLine(line.toString())
    if (parsed !== null) inlinedResponses.push(parsed)
  }
  return { inlinedResponses: { inlinedResponses } }
}

/** A line of the results as it stands in an operation; `null` where the line is broken: what is no JSON cannot stand there. */
function parsedLine(line: string): object | null {
  try {
    const { key, ...result } = JSON.parse(line) as { readonly key: string }
    return { ...result, metadata: JSON.parse(key) as unknown }
  } catch {
    return null
  }
}

function nanoTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000000Z')
}
