import type { BatchSaid } from '../domain/batch.ts'
import { failure } from '../domain/failure.ts'
import { isRecord, listIn, numberIn, recordIn, textIn } from '../provider/json.ts'
import { type ApiSetting, pathOf, SHARD_KEY, secondsIn } from './api-setting.ts'
import type { ApiAnswer, BatchApi, BatchSize, ListedBatch, ShardOffer } from './batch-api.ts'
import { fileBatchVerbs } from './file-batches.ts'
import { type ListPage, listPages } from './list-pages.ts'
import { multipartForm, uploadOf } from './upload.ts'

/** docs.mistral.ai/capabilities/batch: its pages differ (a million requests in all, or 100,000 in one batch; 512 MB); the lesser is used. */
const SIZE: BatchSize = { requests: 100_000, bytes: 500_000_000 }

/** Of `{"custom_id":"…","body":…}` with the longest id. */
const LINE_BYTES = 100

const PAGE = 100
const WINDOW_HOURS = 24

/** Mistral's batch jobs: model and endpoint are said once for the job, and results come as from OpenAI. */
export function openMistralBatches({ call, base, kind, model }: ApiSetting): BatchApi {
  const all = `${base}/batch/jobs`
  const one = (batchId: string) => `${all}/${pathOf(batchId)}`
  const read = ({ body }: { body: unknown }) => readJob(body)
  const endpoint = `/v1${kind.url.startsWith(base) ? kind.url.slice(base.length) : '/chat/completions'}`

  async function upload(offer: ShardOffer, signal: AbortSignal): Promise<ApiAnswer<string>> {
    const { form, type } = multipartForm(
      offer.id,
      ({ id, body }) => `{"custom_id":"${id}","body":${withoutModel(body)}}`,
    )
    const body = await uploadOf(offer, form)
    const question = { method: 'POST', url: `${base}/files`, headers: { 'content-type': type }, body } as const
    return call.ask(question, (told) => textIn(told.body, 'id'), signal)
  }

  function create(offer: ShardOffer, fileId: string | null, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>> {
    const body = JSON.stringify({
      input_files: [fileId],
      endpoint,
      model,
      metadata: { [SHARD_KEY]: offer.id },
      timeout_hours: WINDOW_HOURS,
    })
    return call.ask({ method: 'POST', url: all, body }, read, signal)
  }

  function list(sinceMs: number, signal: AbortSignal): Promise<ApiAnswer<readonly ListedBatch[]>> {
    return listPages(sinceMs, (page) => {
      const number = page === null ? 0 : Number(page)
      const url = `${all}?page=${number}&page_size=${PAGE}&order_by=-created`
      return call.ask({ method: 'GET', url }, (told) => readPage(told.body, number), signal)
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

/** A body as the job's own model is to answer it. The AI SDK writes the model first. */
function withoutModel(body: string): string {
  return body.replace(/^\{"model":"(?:[^"\\]|\\.)*",?/, '{')
}

const PHASES: Readonly<Record<string, BatchSaid['phase']>> = {
  QUEUED: 'validating',
  RUNNING: 'running',
  CANCELLATION_REQUESTED: 'cancelling',
}

const ENDS: Readonly<Record<string, NonNullable<BatchSaid['end']>>> = {
  SUCCESS: 'completed',
  TIMEOUT_EXCEEDED: 'expired',
  CANCELLED: 'cancelled',
}

function readJob(body: unknown): BatchSaid | null {
  const batchId = textIn(body, 'id')
  const status = textIn(body, 'status')
  if (!isRecord(body) || batchId === null || status === null) return null
  const files = [textIn(body, 'output_file'), textIn(body, 'error_file')].filter((file) => file !== null)
  // A job that failed with results in hand has been worked on; what it lacks is asked again.
  const end = status === 'FAILED' ? (files.length > 0 ? 'completed' : 'failed') : (ENDS[status] ?? null)
  const createdAtMs = secondsIn(body, 'created_at')
  const why = listIn(body, 'errors').map((error) => textIn(error, 'message') ?? '')
  return {
    batchId,
    phase: end === null ? (PHASES[status] ?? 'running') : 'ended',
    end,
    // 0 until the file has been read.
    total: numberIn(body, 'total_requests') || null,
    succeeded: numberIn(body, 'succeeded_requests'),
    failed: numberIn(body, 'failed_requests'),
    files,
    createdAtMs,
    expiresAtMs: createdAtMs === null ? null : createdAtMs + WINDOW_HOURS * 3_600_000,
    failure:
      end === 'failed'
        ? failure('provider_error', why[0] || 'the batch failed, and its provider does not say why')
        : null,
    queueFull: false,
  }
}

function readPage(body: unknown, number: number): ListPage | null {
  if (!isRecord(body)) return null
  const jobs = listIn(body, 'data')
  const found: ListedBatch[] = []
  for (const job of jobs) {
    const said = readJob(job)
    if (said === null) return null
    found.push({ said, shardId: textIn(recordIn(job, 'metadata'), SHARD_KEY) })
  }
  return { found, next: jobs.length < PAGE ? null : String(number + 1) }
}
