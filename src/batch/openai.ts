import type { BatchSaid } from '../domain/batch.ts'
import { type Failure, failure } from '../domain/failure.ts'
import { type Fields, isRecord, listIn, numberIn, recordIn, textIn } from '../provider/json.ts'
import type { ApiCall } from './api-call.ts'
import { type ApiSetting, pathOf, SHARD_KEY, secondsIn } from './api-setting.ts'
import type { ApiAnswer, BatchApi, BatchSize, ListedBatch, ShardOffer } from './batch-api.ts'
import { fileBatchVerbs } from './file-batches.ts'
import { type ListPage, listPages } from './list-pages.ts'
import { multipartForm, uploadOf } from './upload.ts'

/** platform.openai.com/docs/guides/batch: 50,000 requests and 200 MB in a file; Azure and Groq say the same. */
const SIZE: BatchSize = { requests: 50_000, bytes: 195_000_000 }

/** Of the longest id, and the two longest endpoints. */
const LINE_BYTES = 150

const PAGE = 100

/**
 * OpenAI's files and batches, and those of the servers that speak like it: Azure, Groq, Together, the simulator. Results come in two files, one of
 * answers and one of errors, and either may be missing.
 */
export function openOpenAiBatches({ call, base, kind }: ApiSetting): BatchApi {
  const endpoint = endpointOf(kind.url, base)
  const read = ({ body }: { body: unknown }) => readBatch(body, call)
  const one = (batchId: string) => `${base}/batches/${pathOf(batchId)}`

  async function upload(offer: ShardOffer, signal: AbortSignal): Promise<ApiAnswer<string>> {
    const { form, type } = multipartForm(
      offer.id,
      ({ id, body }) => `{"custom_id":"${id}","method":"POST","url":"${endpoint}","body":${body}}`,
    )
    const body = await uploadOf(offer, form)
    const question = { method: 'POST', url: `${base}/files`, headers: { 'content-type': type }, body } as const
    return call.ask(question, (told) => textIn(told.body, 'id'), signal)
  }

  function create(offer: ShardOffer, fileId: string | null, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>> {
    const body = JSON.stringify({
      input_file_id: fileId,
      endpoint,
      completion_window: '24h',
      metadata: { [SHARD_KEY]: offer.id },
    })
    return call.ask({ method: 'POST', url: `${base}/batches`, body }, read, signal)
  }

  function list(sinceMs: number, signal: AbortSignal): Promise<ApiAnswer<readonly ListedBatch[]>> {
    return listPages(sinceMs, (after) => {
      const url = `${base}/batches?limit=${PAGE}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`
      return call.ask({ method: 'GET', url }, (told) => readPage(told.body, call), signal)
    })
  }

  return Object.freeze({
    size: SIZE,
    lineBytes: LINE_BYTES,
    ...fileBatchVerbs({ call, base, one, read }),
    upload,
    create,
    list,
  })
}

/**
 * What a request's URL is called within a batch: below `/v1`, whatever stands before it. Azure's documents write its chat endpoint without
 * (learn.microsoft.com/azure/foundry/openai/how-to/batch).
 */
function endpointOf(url: string, base: string): string {
  const path = url.startsWith(base) ? url.slice(base.length) : new URL(url).pathname
  const isAzure = /\.(?:openai|cognitiveservices|services\.ai)\.azure\.com$/.test(new URL(base).hostname)
  return isAzure && path === '/chat/completions' ? path : `/v1${path}`
}

const PHASES: Readonly<Record<string, BatchSaid['phase']>> = {
  validating: 'validating',
  in_progress: 'running',
  finalizing: 'finalizing',
  cancelling: 'cancelling',
}

const ENDS: Readonly<Record<string, NonNullable<BatchSaid['end']>>> = {
  completed: 'completed',
  expired: 'expired',
  cancelled: 'cancelled',
  failed: 'failed',
}

function readBatch(body: unknown, call: ApiCall): BatchSaid | null {
  const batchId = textIn(body, 'id')
  const status = textIn(body, 'status')
  if (!isRecord(body) || batchId === null || status === null) return null
  const end = ENDS[status] ?? null
  const counts = recordIn(body, 'request_counts')
  const output = textIn(body, 'output_file_id')
  const files = [output, textIn(body, 'error_file_id')].filter((file) => file !== null)
  const succeeded = numberIn(counts, 'completed')
  // Reported from the field: completed, with answers counted, and the file named only later.
  const isDue = end !== null && end !== 'failed' && output === null && (succeeded ?? 0) > 0
  const isQueueFull = end === 'failed' && listIn(recordIn(body, 'errors'), 'data').some(isAboutQueue)
  return {
    batchId,
    phase: end === null ? (PHASES[status] ?? 'running') : 'ended',
    end,
    // 0 until the file has been read.
    total: numberIn(counts, 'total') || null,
    succeeded,
    failed: numberIn(counts, 'failed'),
    files,
    ...(isDue && { filesDue: true }),
    createdAtMs: secondsIn(body, 'created_at'),
    expiresAtMs: secondsIn(body, 'expires_at'),
    failure: end === 'failed' ? whyFailed(body, isQueueFull, call) : null,
    queueFull: isQueueFull,
  }
}

/** `token_limit_exceeded`: more prompt tokens are enqueued for the model than the account may have. It is said in validation, not at creation. */
function isAboutQueue(error: unknown): boolean {
  return /^(?:token_limit_exceeded|queue_limit_exceeded)$/.test(textIn(error, 'code') ?? '')
}

/** Why not one request was worked on. What is no matter of account or model may be mended by another try: it names a line, not every row. */
function whyFailed(body: Fields, isQueueFull: boolean, call: ApiCall): Failure {
  const errors = listIn(recordIn(body, 'errors'), 'data')
  const first = errors.find((error) => isAboutQueue(error) === isQueueFull) ?? errors[0]
  if (!isRecord(first)) return failure('provider_error', 'the batch failed, and its provider does not say why')
  const told = call.failureIn(first)
  const line = numberIn(first, 'line')
  const message = line === null ? told.message : `line ${line}: ${told.message}`
  if (isQueueFull) return { ...told, cause: 'rate_limited', message, retryable: true }
  return { ...told, message, retryable: true }
}

function readPage(body: unknown, call: ApiCall): ListPage | null {
  if (!isRecord(body) || !Array.isArray(body.data)) return null
  const found: ListedBatch[] = []
  for (const item of body.data) {
    const said = readBatch(item, call)
    if (said === null) return null
    found.push({ said, shardId: textIn(recordIn(item, 'metadata'), SHARD_KEY) })
  }
  const last = textIn(body, 'last_id') ?? found.at(-1)?.said.batchId ?? null
  const hasMore = typeof body.has_more === 'boolean' ? body.has_more : body.data.length >= PAGE
  return { found, next: hasMore ? last : null }
}
