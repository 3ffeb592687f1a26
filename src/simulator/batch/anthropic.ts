import { anthropicMessages } from '../anthropic-messages.ts'
import { anthropicLines } from './anthropic-lines.ts'
import type { Batch } from './batch.ts'
import type { Book } from './book.ts'
import type { BatchFailure } from './course.ts'
import { download } from './download.ts'
import { elementsOf } from './elements.ts'
import { type BatchCall, type BatchReply, json, queryOf, Refused } from './exchange.ts'
import type { BatchRoute } from './route.ts'
import { takeInEach } from './take-in.ts'

const DAY_MS = 24 * 3_600_000
const MAX_REQUESTS = 100_000
const MAX_BYTES = 256 * 1024 * 1024

/** Anthropic's message batches: no files, no names of the owner's own. */
export function anthropicRoutes(book: Book): readonly BatchRoute[] {
  const at = { provider: 'anthropic', shape: anthropicMessages } as const
  const batchOr404 = (id: string) =>
    book.batch('anthropic', id) ?? refuse(404, 'not_found_error', `Message Batch ${id} not found.`)
  return [
    {
      ...at,
      name: 'create',
      method: 'POST',
      pattern: /\/messages\/batches$/,
      answer: async (call) => json(batchObject(book, call, await create(book, call))),
    },
    { ...at, name: 'list', method: 'GET', pattern: /\/messages\/batches$/, answer: (call) => list(book, call) },
    {
      ...at,
      name: 'look',
      method: 'GET',
      pattern: /\/messages\/batches\/([^/]+)$/,
      answer: (call, id) => {
        const batch = batchOr404(id)
        const isOver = book.phase(batch) === 'ended'
        return json(batchObject(book, call, batch), isOver ? {} : { 'retry-after': '10' })
      },
    },
    {
      ...at,
      name: 'content',
      method: 'GET',
      pattern: /\/messages\/batches\/([^/]+)\/results$/,
      answer: (_, id) => {
        const { output } = batchOr404(id)
        if (output === null || book.phase(batchOr404(id)) !== 'ended')
          return refuse(404, 'not_found_error', `Message Batch ${id} has no available results.`)
        return download(book, output, 'application/x-jsonl')
      },
    },
    {
      ...at,
      name: 'cancel',
      method: 'POST',
      pattern: /\/messages\/batches\/([^/]+)\/cancel$/,
      answer: (call, id) => {
        book.cancel(batchOr404(id))
        return json(batchObject(book, call, batchOr404(id)))
      },
    },
    {
      ...at,
      name: 'remove',
      method: 'DELETE',
      pattern: /\/messages\/batches\/([^/]+)$/,
      answer: async (_, id) => {
        const batch = batchOr404(id)
        if (book.phase(batch) !== 'ended')
          return refuse(400, 'invalid_request_error', 'Message Batch cannot be deleted while it is in progress.')
        batch.isDeleted = true
        if (batch.output !== null) await book.drop(batch.output)
        return json({ id, type: 'message_batch_deleted' })
      },
    },
  ]
}

function refuse(status: number, type: string, message: string): never {
  throw refusal(status, type, message)
}

function refusal(status: number, type: string, message: string): Refused {
  const body = JSON.stringify({ type: 'error', error: { type, message } })
  return new Refused({ status, headers: { 'content-type': 'application/json' }, body })
}

async function create(book: Book, call: BatchCall): Promise<Batch> {
  const input = await takeInEach(book, 'anthropic', anthropicLines, elementsOf(bounded(call.body), 'requests'))
  const { survey } = input
  if (survey === null || survey.requests === 0) {
    await book.drop(input)
    return refuse(400, 'invalid_request_error', 'requests: List should have at least 1 item after validation, not 0')
  }
  if (survey.requests > MAX_REQUESTS) {
    await book.drop(input)
    const message = `requests: List should have at most ${MAX_REQUESTS} items after validation, not ${survey.requests}`
    return refuse(400, 'invalid_request_error', message)
  }
  return book.create({
    provider: 'anthropic',
    format: anthropicLines,
    input,
    survey,
    model: survey.model ?? '',
    endpoint: '/v1/messages',
    shard: null,
    told: {},
    isInline: true,
    id: (digits) => `msgbatch_01${digits.slice(0, 22)}`,
    windowMs: DAY_MS,
    whenFull: ({ limit, what }) => {
      const message = `This request would exceed your organization's limit of ${limit.toLocaleString('en-US')} batch ${what} in the processing queue. Please try again once some of your batches have ended.`
      throw refusal(429, 'rate_limit_error', message)
    },
    refuse: ({ line, message }: BatchFailure) =>
      refusal(400, 'invalid_request_error', `requests.${Math.max(0, (line ?? 1) - 1)}: ${message}`),
  })
}

async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > MAX_BYTES) refuse(413, 'request_too_large', 'Request exceeds the maximum allowed number of bytes.')
    yield chunk
  }
}

function list(book: Book, call: BatchCall): BatchReply {
  const query = queryOf(call)
  const limit = Math.min(1000, Math.max(1, Number(query.get('limit') ?? 20) || 20))
  const all = book.list('anthropic')
  const indexOf = (name: string) => all.findIndex(({ id }) => id === query.get(name))
  const from = query.has('after_id') ? indexOf('after_id') + 1 : 0
  const to = query.has('before_id') ? Math.max(0, indexOf('before_id')) : all.length
  const page = all.slice(query.has('before_id') ? Math.max(0, to - limit) : from, Math.min(to, from + limit))
  return json({
    data: page.map((batch) => batchObject(book, call, batch)),
    has_more: query.has('before_id') ? to > page.length : from + page.length < all.length,
    first_id: page[0]?.id ?? null,
    last_id: page[page.length - 1]?.id ?? null,
  })
}

function batchObject(book: Book, call: Pick<BatchCall, 'origin' | 'path'>, batch: Batch): object {
  const { course, counts, survey, id } = batch
  const endedMs = book.endedMs(batch)
  const isOver = endedMs !== null
  // Whatever stands before the endpoint in the caller's base URL stands there in ours.
  const base = call.path.slice(0, call.path.indexOf('/messages/batches'))
  return {
    id,
    type: 'message_batch',
    processing_status: isOver ? 'ended' : course.cancelledMs === null ? 'in_progress' : 'canceling',
    request_counts: {
      processing: isOver ? 0 : survey.requests,
      succeeded: isOver ? counts.succeeded : 0,
      errored: isOver ? counts.failed : 0,
      canceled: isOver ? counts.cancelled : 0,
      expired: isOver ? counts.expired : 0,
    },
    ended_at: endedMs === null ? null : rfc3339(endedMs),
    created_at: rfc3339(course.createdMs),
    expires_at: rfc3339(course.expiresMs),
    archived_at: null,
    cancel_initiated_at: course.cancelledMs === null ? null : rfc3339(course.cancelledMs),
    results_url: isOver ? `${call.origin}${base}/messages/batches/${id}/results` : null,
  }
}

/** As Anthropic writes times: microseconds, and an offset instead of `Z`. */
function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000+00:00')
}
