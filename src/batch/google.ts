import type { BatchSaid } from '../domain/batch.ts'
import { type Failure, failure } from '../domain/failure.ts'
import { type Fields, isRecord, listIn, recordIn, textIn } from '../provider/json.ts'
import type { ApiCall } from './api-call.ts'
import { type ApiSetting, momentIn, pathOf } from './api-setting.ts'
import {
  type ApiAnswer,
  type BatchApi,
  type BatchSize,
  type ListedBatch,
  ResultsCut,
  type ShardOffer,
} from './batch-api.ts'
import { CANCELLED, readGoogleLine } from './google-line.ts'
import { type ListPage, listPages } from './list-pages.ts'
import { resultLines } from './result-line.ts'
import { type UploadForm, uploadOf } from './upload.ts'

/**
 * ai.google.dev/gemini-api/docs/batch-api: a file of 2 GB, of any number of requests. Fewer are taken here: a batch that expires, 48 hours after it was
 * made, loses everything that was done in it.
 */
const SIZE: BatchSize = { requests: 5000, bytes: 1_000_000_000 }

/** Of `{"key":"…","request":…}` with the longest id. */
const LINE_BYTES = 100

/**
 * What goes in the call that creates the batch, without a file; ai.google.dev allows 20 MB. Few requests, because the answers come back within
 * each description of the batch that has ended, in lists too.
 */
const INLINE: BatchSize = { requests: 50, bytes: 1_000_000 }

/** Stands in the place of a file's name where there is no file: names of files begin with `files/`. */
const WITHIN_THE_CALL = 'within the call'

const PAGE = 20

const EXPIRES_AFTER_MS = 48 * 3_600_000

const FORM: UploadForm = {
  head: '',
  line: ({ id, body }) => `{"key":"${id}","request":${body}}\n`,
  between: '',
  tail: '',
}

/** The same as the body of the call that creates the batch. */
function inlineForm(shardId: string): UploadForm {
  return {
    head: `{"batch":{"displayName":"${shardId}","inputConfig":{"requests":{"requests":[`,
    line: ({ id, body }) => `{"request":${body},"metadata":{"key":"${id}"}}`,
    between: ',',
    tail: ']}}}}',
  }
}

const SHARD_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Gemini's batches, by way of a file; the smallest within the call that creates them. To create one is said not to be idempotent; its display name carries
 * the shard. What expired has no results at all, not even those that were done.
 */
export function openGoogleBatches({ call, base, kind }: ApiSetting): BatchApi {
  const read = ({ body }: { body: unknown }) => readBatch(body, call)
  const one = (batchId: string) => `${base}/${pathOf(batchId)}`
  const { origin, pathname } = new URL(base)

  async function upload(offer: ShardOffer, signal: AbortSignal): Promise<ApiAnswer<string>> {
    if (await isSmall(offer)) return { is: 'said', value: WITHIN_THE_CALL }
    const body = await uploadOf(offer, FORM)
    const start = {
      method: 'POST',
      url: `${origin}/upload${pathname}/files`,
      headers: {
        'x-goog-upload-protocol': 'resumable',
        'x-goog-upload-command': 'start',
        'x-goog-upload-header-content-length': String(body.bytes),
        'x-goog-upload-header-content-type': 'application/jsonl',
      },
      body: JSON.stringify({ file: { display_name: `sluice-${offer.id}` } }),
    } as const
    const started = await call.ask(start, ({ headers }) => headers['x-goog-upload-url'] ?? null, signal)
    if (started.is !== 'said') return started
    const headers = {
      'x-goog-upload-offset': '0',
      'x-goog-upload-command': 'upload, finalize',
      'content-type': 'application/jsonl',
    }
    const whole = { method: 'POST', url: started.value, headers, body, withoutKey: true } as const
    return call.ask(whole, (told) => textIn(recordIn(told.body, 'file'), 'name'), signal)
  }

  async function create(offer: ShardOffer, fileId: string | null, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>> {
    const body =
      fileId === WITHIN_THE_CALL
        ? await uploadOf(offer, inlineForm(offer.id))
        : JSON.stringify({ batch: { displayName: offer.id, inputConfig: { fileName: fileId } } })
    const url = kind.url.replace(/:generateContent$/, ':batchGenerateContent')
    return call.ask({ method: 'POST', url, headers: { 'content-type': 'application/json' }, body }, read, signal)
  }

  const poll = (batchId: string, signal: AbortSignal) => call.ask({ method: 'GET', url: one(batchId) }, read, signal)

  function list(_sinceMs: number, signal: AbortSignal): Promise<ApiAnswer<readonly ListedBatch[]>> {
    // In which order they come is not said.
    return listPages(null, (token) => {
      const url = `${base}/batches?pageSize=${PAGE}${token === null ? '' : `&pageToken=${encodeURIComponent(token)}`}`
      return call.ask({ method: 'GET', url }, (told) => readPage(told.body, call), signal)
    })
  }

  async function cancel(batchId: string, signal: AbortSignal): Promise<ApiAnswer<BatchSaid>> {
    const asked = await call.ask({ method: 'POST', url: `${one(batchId)}:cancel`, body: '{}' }, () => true, signal)
    return asked.is === 'said' ? poll(batchId, signal) : asked
  }

  async function* results({ batchId, files }: BatchSaid, signal: AbortSignal): AsyncGenerator<Buffer> {
    const url = (file: string) => `${origin}/download${pathname}/${pathOf(file)}:download?alt=media`
    for (const file of files) yield* resultLines(call.download(url(file), signal))
    if (files.length > 0) return
    // A small batch that was made without a file has its results within itself.
    const held = await call.ask({ method: 'GET', url: one(batchId) }, ({ body }) => inlineResults(body), signal)
    if (held.is !== 'said') throw new ResultsCut(held.failure)
    for (const item of held.value) yield Buffer.from(JSON.stringify(item))
  }

  return Object.freeze({
    size: SIZE,
    lineBytes: LINE_BYTES,
    takesFiles: true,
    namesShards: true,
    upload,
    create,
    poll,
    list,
    cancel,
    results,
    readLine: readGoogleLine,
    async forget(fileId: string, signal: AbortSignal) {
      if (fileId === WITHIN_THE_CALL) return
      await call.ask({ method: 'DELETE', url: one(fileId) }, () => true, signal)
    },
  })
}

async function isSmall(offer: ShardOffer): Promise<boolean> {
  return offer.requests <= INLINE.requests && (await uploadOf(offer, inlineForm(offer.id))).bytes <= INLINE.bytes
}

const PHASES: Readonly<Record<string, BatchSaid['phase']>> = { PENDING: 'validating', RUNNING: 'running' }

const ENDS: Readonly<Record<string, NonNullable<BatchSaid['end']>>> = {
  SUCCEEDED: 'completed',
  FAILED: 'failed',
  CANCELLED: 'cancelled',
  EXPIRED: 'expired',
}

/** A batch is a long-running operation, which says of itself what it is in `metadata`. */
function readBatch(body: unknown, call: ApiCall): BatchSaid | null {
  const batchId = textIn(body, 'name')
  if (!isRecord(body) || batchId === null) return null
  const metadata = recordIn(body, 'metadata')
  const state = (textIn(metadata, 'state') ?? '').replace(/^(?:BATCH|JOB)_STATE_/, '')
  const end = endOf(state, body)
  const stats = recordIn(metadata, 'batchStats')
  const createdAtMs = momentIn(metadata, 'createTime')
  const why = end === 'failed' ? whyFailed(body, call) : null
  const file =
    textIn(recordIn(metadata, 'output'), 'responsesFile') ?? textIn(recordIn(body, 'response'), 'responsesFile')
  return {
    batchId,
    phase: end === null ? (PHASES[state] ?? 'running') : 'ended',
    end,
    total: countIn(stats, 'requestCount'),
    succeeded: countIn(stats, 'successfulRequestCount') ?? (end === null ? null : 0),
    failed: countIn(stats, 'failedRequestCount') ?? (end === null ? null : 0),
    files: file === null ? [] : [file],
    createdAtMs,
    expiresAtMs: createdAtMs === null ? null : createdAtMs + EXPIRES_AFTER_MS,
    failure: why,
    queueFull: why?.cause === 'rate_limited',
  }
}

/** What was cancelled, or expired, has an error as well. */
function endOf(state: string, { error, done }: Fields): BatchSaid['end'] {
  const end = ENDS[state] ?? null
  if (end === 'cancelled' || end === 'expired') return end
  if (isRecord(error)) return error.code === CANCELLED ? 'cancelled' : 'failed'
  return end ?? (done === true ? 'completed' : null)
}

function whyFailed({ error }: Fields, call: ApiCall): Failure {
  if (!isRecord(error)) return failure('provider_error', 'the batch failed, and its provider does not say why')
  return { ...call.failureIn(withStatus(error)), retryable: true }
}

/** google.rpc.Status has a number alone, in whose place HTTP's would stand; the rules know the code's name. */
function withStatus({ code, ...error }: Fields): Fields {
  return code === 8 ? { ...error, status: 'RESOURCE_EXHAUSTED' } : error
}

/** Counts are written as texts, being of 64 bits; 0 is not written at all. */
function countIn(stats: Fields, key: string): number | null {
  const value = stats[key]
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) ? count : null
}

function inlineResults(body: unknown): readonly unknown[] {
  const outputs = [recordIn(recordIn(body, 'metadata'), 'output'), recordIn(body, 'response')]
  const lists = outputs.map((output) => listIn(recordIn(output, 'inlinedResponses'), 'inlinedResponses'))
  return lists.find((list) => list.length > 0) ?? []
}

function readPage(body: unknown, call: ApiCall): ListPage | null {
  if (!isRecord(body)) return null
  const found: ListedBatch[] = []
  for (const item of listIn(body, 'operations')) {
    const said = readBatch(item, call)
    if (said === null) return null
    const name = textIn(recordIn(item, 'metadata'), 'displayName') ?? ''
    found.push({ said, shardId: SHARD_ID.test(name) ? name : null })
  }
  return { found, next: textIn(body, 'nextPageToken') }
}
