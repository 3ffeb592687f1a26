import type { WireReply } from '../ask.ts'
import { openAiChat } from '../openai-chat.ts'
import { isRecord } from '../schema.ts'
import type { Batch, StoredFile } from './batch.ts'
import type { Book } from './book.ts'
import { progressOf } from './course.ts'
import { download } from './download.ts'
import { type BatchCall, type BatchReply, json, jsonOf, queryOf, Refused } from './exchange.ts'
import { uploadForm } from './openai-files.ts'
import { openAiLines } from './openai-lines.ts'
import type { BatchRoute } from './route.ts'

const DAY_MS = 24 * 3_600_000
const MAX_REQUESTS = 50_000
const ENDPOINTS = ['/v1/chat/completions', '/v1/responses']

/** OpenAI's files and batches. */
export function openAiRoutes(book: Book): readonly BatchRoute[] {
  const at = { provider: 'openai', shape: openAiChat } as const
  const batchOr404 = (id: string) => book.batch('openai', id) ?? refuse(404, `No batch found with id '${id}'.`)
  return [
    { ...at, name: 'create', method: 'POST', pattern: /\/batches$/, answer: (call) => create(book, call) },
    { ...at, name: 'list', method: 'GET', pattern: /\/batches$/, answer: (call) => list(book, call) },
    {
      ...at,
      name: 'look',
      method: 'GET',
      pattern: /\/batches\/([^/]+)$/,
      answer: (_, id) => say(book, batchOr404(id)),
    },
    {
      ...at,
      name: 'cancel',
      method: 'POST',
      pattern: /\/batches\/([^/]+)\/cancel$/,
      answer: (_, id) => {
        const batch = batchOr404(id)
        const phase = book.phase(batch)
        if (phase === 'ended') refuse(409, `Cannot cancel a batch with status '${statusOf(batch, phase)}'.`)
        book.cancel(batch)
        return say(book, batch)
      },
    },
    { ...at, name: 'upload', method: 'POST', pattern: /\/files$/, answer: (call) => upload(book, call) },
    {
      ...at,
      name: 'file',
      method: 'GET',
      pattern: /\/files\/([^/]+)$/,
      answer: (_, id) => json(fileObject(fileOr404(book, id))),
    },
    {
      ...at,
      name: 'content',
      method: 'GET',
      pattern: /\/files\/([^/]+)\/content$/,
      answer: (_, id) => download(book, fileOr404(book, id), 'application/octet-stream'),
    },
    {
      ...at,
      name: 'remove',
      method: 'DELETE',
      pattern: /\/files\/([^/]+)$/,
      answer: async (_, id) => {
        await book.drop(fileOr404(book, id))
        return json({ object: 'file', deleted: true, id })
      },
    },
  ]
}

function refuse(status: number, message: string, param: string | null = null, code: string | null = null): never {
  throw new Refused(errorReply(status, message, param, code))
}

function errorReply(status: number, message: string, param: string | null, code: string | null): WireReply {
  const error = { message, type: 'invalid_request_error', param, code }
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ error }) }
}

function fileOr404(book: Book, id: string): StoredFile {
  return book.file(id) ?? refuse(404, `No such File object: ${id}`, 'id')
}

async function upload(book: Book, call: BatchCall): Promise<BatchReply> {
  const form = await uploadForm(book, call, 'openai', openAiLines)
  if (form === null) return refuse(400, 'The body is no multipart form.')
  const { file, purpose } = form
  if (purpose === 'batch' && file !== null && file.name.endsWith('.jsonl')) return json(fileObject(file))
  if (file !== null) await book.drop(file)
  if (file === null) return refuse(400, "Missing required parameter: 'file'.", 'file', 'missing_required_parameter')
  if (purpose === null) {
    return refuse(400, "Missing required parameter: 'purpose'.", 'purpose', 'missing_required_parameter')
  }
  if (purpose === 'batch') return refuse(400, 'Invalid file format for Batch API. Must be .jsonl')
  return refuse(400, `'${purpose}' is not one of ['batch'] - 'purpose'`)
}

function fileObject(file: StoredFile): object {
  const createdS = seconds(file.createdMs)
  return {
    object: 'file',
    id: file.id,
    purpose: file.survey === null ? 'batch_output' : 'batch',
    filename: file.name,
    bytes: file.bytes,
    created_at: createdS,
    expires_at: createdS + 30 * 86_400,
    status: 'processed',
    status_details: null,
  }
}

async function create(book: Book, call: BatchCall): Promise<BatchReply> {
  const told = await jsonOf(call.body)
  const { input_file_id: fileId, endpoint, completion_window: window, metadata = null } = told
  if (typeof fileId !== 'string') {
    return refuse(400, "Missing required parameter: 'input_file_id'.", 'input_file_id', 'missing_required_parameter')
  }
  if (typeof endpoint !== 'string' || !ENDPOINTS.includes(endpoint)) {
    const supported = ENDPOINTS.map((one) => `'${one}'`).join(' and ')
    return refuse(400, `Invalid value: '${endpoint}'. Supported values are: ${supported}.`, 'endpoint', 'invalid_value')
  }
  if (window !== '24h') {
    const message = `Invalid value: '${window}'. Supported values are: '24h'.`
    return refuse(400, message, 'completion_window', 'invalid_value')
  }
  if (metadata !== null && !isMetadata(metadata)) {
    return refuse(400, "Invalid 'metadata': expected up to 16 pairs of short strings.", 'metadata', 'invalid_type')
  }
  const input = book.file(fileId)
  if (input === null || input.survey === null) {
    return refuse(400, `Invalid 'input_file_id': file ${fileId} is no file for batches.`, 'input_file_id')
  }
  const { survey } = input
  const batch = book.create({
    provider: 'openai',
    format: openAiLines,
    input,
    survey: { ...survey, failures: failuresOf(survey, endpoint) },
    model: survey.model ?? '',
    endpoint,
    shard: metadata?.sluice_shard ?? null,
    told: { metadata },
    isInline: false,
    id: (digits) => `batch_${digits}`,
    windowMs: DAY_MS,
    whenFull: ({ model, limit, what }) => ({
      kind: 'queue_full',
      code: 'token_limit_exceeded',
      message: `Enqueued ${what === 'tokens' ? 'token' : 'request'} limit reached for ${model} in organization org-simulated. Limit: ${limit.toLocaleString('en-US')} enqueued ${what}. Please try again once some in_progress batches have been completed.`,
      line: null,
    }),
  })
  return say(book, batch)
}

function isMetadata(value: unknown): value is Readonly<Record<string, string>> {
  if (!isRecord(value)) return false
  const pairs = Object.entries(value)
  return (
    pairs.length <= 16 && pairs.every(([key, one]) => key.length <= 64 && typeof one === 'string' && one.length <= 512)
  )
}

function failuresOf(survey: NonNullable<StoredFile['survey']>, endpoint: string): Batch['survey']['failures'] {
  const whole = (code: string, message: string) => ({ kind: 'bad_line' as const, code, message, line: null })
  if (survey.requests === 0) return [whole('empty_file', 'The input file is empty.')]
  if (survey.requests > MAX_REQUESTS) {
    return [whole('too_many_tasks', `The batch input file contains too many requests. The maximum is ${MAX_REQUESTS}.`)]
  }
  if (survey.failures.length > 0 || survey.url === endpoint) return survey.failures
  return [whole('mismatched_url', 'The URL provided for this request does not match the batch endpoint.')]
}

function list(book: Book, call: BatchCall): BatchReply {
  const query = queryOf(call)
  const limit = Math.min(100, Math.max(1, Number(query.get('limit') ?? 20) || 20))
  const all = book.list('openai')
  const after = query.get('after')
  const from = after === null ? 0 : all.findIndex(({ id }) => id === after) + 1
  const page = after !== null && from === 0 ? [] : all.slice(from, from + limit)
  return json({
    object: 'list',
    data: page.map((batch) => batchObject(book, batch)),
    first_id: page[0]?.id ?? null,
    last_id: page[page.length - 1]?.id ?? null,
    has_more: page.length > 0 && from + page.length < all.length,
  })
}

function say(book: Book, batch: Batch): BatchReply {
  return json(batchObject(book, batch))
}

function statusOf({ course }: Batch, phase: ReturnType<Book['phase']>): string {
  if (phase === 'running') return 'in_progress'
  return phase === 'ended' ? course.end : phase
}

function batchObject(book: Book, batch: Batch): object {
  const { course, counts, sums, survey, told, model, id } = batch
  const phase = book.phase(batch)
  const nowMs = book.house.options.nowMs()
  const endedMs = book.endedMs(batch)
  const isSeen =
    course.end !== 'failed' && nowMs >= course.validatedMs && (course.cancelledMs ?? nowMs) >= course.validatedMs
  const endedAs = (end: Batch['course']['end']) => (endedMs !== null && course.end === end ? seconds(endedMs) : null)
  const progress = Math.floor(progressOf(course, nowMs) * survey.requests)
  const used = endedMs === null ? { inputTokens: 0, cachedTokens: 0, outputTokens: 0 } : sums
  const isFinalizing = isSeen && course.cancelledMs === null && nowMs >= course.ranMs
  return {
    id,
    object: 'batch',
    endpoint: batch.endpoint,
    model: isSeen ? `${model}-simulated` : null,
    errors: endedMs === null ? null : errorsOf(batch),
    input_file_id: batch.input.id,
    completion_window: '24h',
    status: statusOf(batch, phase),
    output_file_id: endedMs === null ? null : (batch.output?.id ?? null),
    error_file_id: endedMs === null ? null : (batch.errors?.id ?? null),
    created_at: seconds(course.createdMs),
    in_progress_at: isSeen ? seconds(course.validatedMs) : null,
    expires_at: seconds(course.expiresMs),
    finalizing_at: isFinalizing ? seconds(course.ranMs) : null,
    completed_at: endedAs('completed'),
    failed_at: endedAs('failed'),
    expired_at: endedAs('expired'),
    cancelling_at: course.cancelledMs === null ? null : seconds(course.cancelledMs),
    cancelled_at: endedAs('cancelled'),
    request_counts: {
      total: isSeen ? survey.requests : 0,
      completed: endedMs === null ? progress : counts.succeeded,
      failed: endedMs === null ? 0 : counts.failed + counts.expired + counts.cancelled,
    },
    usage: {
      input_tokens: used.inputTokens,
      output_tokens: used.outputTokens,
      total_tokens: used.inputTokens + used.outputTokens,
      input_tokens_details: { cached_tokens: used.cachedTokens },
      output_tokens_details: { reasoning_tokens: 0 },
    },
    metadata: told.metadata,
  }
}

function errorsOf({ course }: Batch): object | null {
  if (course.failure === null) return null
  const { code, line, message } = course.failure
  return { object: 'list', data: [{ code, line, message, param: null }] }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}
