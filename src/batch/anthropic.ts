import type { BatchSaid } from '../domain/batch.ts'
import { isRecord, numberIn, recordIn, textIn } from '../provider/json.ts'
import { type ApiSetting, momentIn, pathOf } from './api-setting.ts'
import type { ApiAnswer, BatchApi, BatchSize, ListedBatch, ResultLine, ShardOffer } from './batch-api.ts'
import { type ListPage, listPages } from './list-pages.ts'
import { badLine, endedLine, objectIn, repliedLine, resultLines } from './result-line.ts'
import { type UploadForm, uploadOf } from './upload.ts'

/** docs.claude.com/en/docs/build-with-claude/batch-processing: 100,000 requests or 256 MB, whichever comes first. */
const SIZE: BatchSize = { requests: 100_000, bytes: 250_000_000 }

/** Of `{"custom_id":"…","params":…},` with the longest id. */
const LINE_BYTES = 100

const PAGE = 100

const FORM: UploadForm = {
  head: '{"requests":[',
  line: ({ id, body }) => `{"custom_id":"${id}","params":${body}}`,
  between: ',',
  tail: ']}',
}

/**
 * Anthropic's message batches. There are no files: the requests are the body of the call that creates the batch, which is made while it is sent. A
 * batch carries nothing of ours but the ids of its requests, so that listing cannot say for sure which it is.
 */
export function openAnthropicBatches({ call, base }: ApiSetting): BatchApi {
  const all = `${base}/messages/batches`
  const one = (batchId: string) => `${all}/${pathOf(batchId)}`
  const read = ({ body }: { body: unknown }) => readBatch(body)

  async function create(offer: ShardOffer, _fileId: null | string, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>> {
    const body = await uploadOf(offer, FORM)
    return call.ask({ method: 'POST', url: all, headers: { 'content-type': 'application/json' }, body }, read, signal)
  }

  function list(sinceMs: number, signal: AbortSignal): Promise<ApiAnswer<readonly ListedBatch[]>> {
    return listPages(sinceMs, (after) => {
      const url = `${all}?limit=${PAGE}${after === null ? '' : `&after_id=${encodeURIComponent(after)}`}`
      return call.ask({ method: 'GET', url }, (told) => readPage(told.body), signal)
    })
  }

  return Object.freeze({
    size: SIZE,
    lineBytes: LINE_BYTES,
    takesFiles: false,
    namesShards: false,
    upload: async () => ({ is: 'said' as const, value: null }),
    create,
    poll: (batchId: string, signal: AbortSignal) => call.ask({ method: 'GET', url: one(batchId) }, read, signal),
    list,
    cancel: (batchId: string, signal: AbortSignal) =>
      call.ask({ method: 'POST', url: `${one(batchId)}/cancel`, body: '{}' }, read, signal),
    // The batch names a URL of its results; the key goes nowhere but to the address that the user gave.
    results: (said: BatchSaid, signal: AbortSignal) =>
      resultLines(call.download(`${one(said.batchId)}/results`, signal)),
    readLine: readAnthropicLine,
    forget: async () => undefined,
  })
}

function readBatch(body: unknown): BatchSaid | null {
  const batchId = textIn(body, 'id')
  const status = textIn(body, 'processing_status')
  if (!isRecord(body) || batchId === null || status === null) return null
  const counts = recordIn(body, 'request_counts')
  const count = (key: string) => numberIn(counts, key) ?? 0
  const [expired, cancelled] = [count('expired'), count('canceled')]
  const isEnded = status === 'ended'
  // One batch may hold all kinds of ends; its own is the one that took rows away.
  const end = expired > 0 ? 'expired' : cancelled > 0 ? 'cancelled' : 'completed'
  const lost = count('errored') + expired + cancelled
  return {
    batchId,
    phase: isEnded ? 'ended' : status === 'canceling' ? 'cancelling' : 'running',
    end: isEnded ? end : null,
    total: count('processing') + count('succeeded') + lost || null,
    // Until it has ended both are 0, whatever was done.
    succeeded: isEnded ? count('succeeded') : null,
    failed: isEnded ? lost : null,
    files: [],
    createdAtMs: momentIn(body, 'created_at'),
    expiresAtMs: momentIn(body, 'expires_at'),
    failure: null,
    queueFull: false,
  }
}

function readPage(body: unknown): ListPage | null {
  if (!isRecord(body) || !Array.isArray(body.data)) return null
  const found: ListedBatch[] = []
  for (const item of body.data) {
    const said = readBatch(item)
    if (said === null) return null
    found.push({ said, shardId: null })
  }
  const last = textIn(body, 'last_id') ?? found.at(-1)?.said.batchId ?? null
  return { found, next: body.has_more === true ? last : null }
}

/** docs.claude.com/en/api/errors: results name an error's type alone, where the live API has a status as well. */
const STATUSES: Readonly<Record<string, number>> = {
  invalid_request_error: 400,
  authentication_error: 401,
  billing_error: 402,
  permission_error: 403,
  not_found_error: 404,
  request_too_large: 413,
  rate_limit_error: 429,
  api_error: 500,
  timeout_error: 504,
  overloaded_error: 529,
}

/** A line of a message batch's results. */
function readAnthropicLine(line: Buffer): ResultLine {
  const fields = objectIn(line)
  if (fields === null) return badLine(null, 'a line of the results is no JSON object')
  const id = textIn(fields, 'custom_id')
  const result = recordIn(fields, 'result')
  switch (result.type) {
    case 'succeeded':
      return isRecord(result.message)
        ? repliedLine(id, 200, result.message, null)
        : badLine(id, 'a line of the results says that there is an answer, and holds none')
    case 'expired':
      return endedLine(id, 'expired')
    case 'canceled':
      return endedLine(id, 'cancelled')
    case 'errored': {
      const type = textIn(recordIn(result.error, 'error'), 'type') ?? textIn(result.error, 'type') ?? ''
      return repliedLine(id, STATUSES[type] ?? 500, result.error, textIn(result.error, 'request_id'))
    }
    default:
      return badLine(id, 'a line of the results has no result that sluice knows')
  }
}
