import { BlobMissing } from '../blob/blob.ts'
import type { BatchPart, BatchSaid, BatchShard } from '../domain/batch.ts'
import { CAUSE_RULES, type Failure, failure } from '../domain/failure.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { ApiAnswer, BatchApi, ShardOffer } from './batch-api.ts'
import { type BatchWork, changeShard, failureText, giveShardBack, tellTrouble } from './batch-work.ts'
import { voidParts } from './end-parts.ts'
import { cancelStray, forgetFile, openApi } from './open-api.ts'
import { waitBeforeLook } from './poll-interval.ts'
import { noteAccepted, noteRefused } from './queue-notes.ts'
import { readRequests } from './request-lines.ts'
import { nextLookMs } from './watch.ts'
import { within } from './within.ts'

/** How long a create may go on after its worker was told to stop: its answer is worth more than a second. */
const GRACE_MS = 10_000
/** Between two tries to write down what the provider has answered. */
const AGAIN_MS = 500

type Refusal = Extract<ApiAnswer<unknown>, { readonly is: 'refused' }>

/** What stays the same while a shard is submitted. */
interface Sending {
  readonly api: BatchApi
  readonly offer: ShardOffer
  readonly parts: readonly BatchPart[]
  readonly ended: AbortSignal
}

/**
 * Brings a planned shard to its provider: the intent is written, the requests are uploaded, the intent is written anew, and only then, and no later
 * than `beginMs` after that, the batch is created. Whatever is not certain leaves the shard `submitting`, for `reconcile` to find out.
 */
export async function submitShard(work: BatchWork, planned: BatchShard, ended: AbortSignal): Promise<void> {
  const { store } = work
  const parts = await store.batches.partsOf(planned.id)
  if (planned.cancelWantedMs !== null) {
    return voidParts(work, planned, parts, failure('cancelled', 'the job was cancelled before it was sent'))
  }
  const api = openApi(work, planned.kind)
  if (!api.ok) return voidParts(work, planned, parts, api.failure)
  const stamped = await stamp(work, planned, planned.fileId)
  if (stamped === null) return
  const sending = { api: api.value, offer: offerOf(work, stamped, parts), parts, ended }
  const uploaded = await upload(work, sending, stamped)
  if (uploaded === 'gone') return voidGone(work, stamped, parts)
  if (uploaded.is === 'refused') return takeBack(work, sending, stamped, uploaded)
  // An upload that may have succeeded has cost nothing.
  if (uploaded.is === 'unknown') return putOff(work, stamped, null, uploaded.failure)
  await createBatch(work, sending, stamped, uploaded.value)
}

/** Writes the intent: from here on the shard is ours, until somebody finds that our time is over. */
function stamp(work: BatchWork, shard: BatchShard, fileId: string | null): Promise<BatchShard | null> {
  const { runtime, workerId, times } = work
  const nowMs = runtime.now()
  return changeShard(work, shard, {
    state: 'submitting',
    fileId,
    intentAtMs: nowMs,
    submitter: workerId,
    nextLookMs: nowMs + times.look.firstMs,
  })
}

function offerOf({ blob }: BatchWork, { id, kind, requests }: BatchShard, parts: readonly BatchPart[]): ShardOffer {
  return {
    id,
    kind,
    requests,
    async *lines() {
      for (const { requestsKey } of parts) yield* readRequests(blob, requestsKey)
    },
  }
}

async function upload(
  { runtime, times }: BatchWork,
  { api, offer, ended }: Sending,
  { fileId }: BatchShard,
): Promise<ApiAnswer<string | null> | 'gone'> {
  if (fileId !== null) return { is: 'said', value: fileId }
  return unlessGone(within(runtime, { ms: times.uploadMs, ended }, (signal) => api.upload(offer, signal)))
}

/** The answer, or that the requests are not in the blob store: then the provider has not got them either. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | 'gone'> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof BlobMissing) return 'gone'
    throw error
  }
}

function voidGone(work: BatchWork, shard: BatchShard, parts: readonly BatchPart[]): Promise<void> {
  tellTrouble(work, shard, 'its requests are gone: its rows are asked again')
  return voidParts(work, shard, parts, failure('unknown', 'the requests of the batch are gone'))
}

/** The one call that must not be made twice. */
async function createBatch(
  work: BatchWork,
  sending: Sending,
  stamped: BatchShard,
  fileId: string | null,
): Promise<void> {
  const { runtime, times } = work
  const { api, offer, ended } = sending
  const sinceMs = runtime.elapsed()
  const shard = await stamp(work, stamped, fileId)
  if (shard === null) return
  if (ended.aborted || runtime.elapsed() - sinceMs > times.beginMs) {
    await changeShard(work, shard, { state: 'planned', nextLookMs: runtime.now() })
    return
  }
  const bounds = { ms: fileId === null ? times.bodyMs : times.callMs, ended, graceMs: GRACE_MS }
  const answer = await unlessGone(within(runtime, bounds, (signal) => api.create(offer, fileId, signal)))
  await untilWritten(work, ended, () => {
    if (answer === 'gone') return voidGone(work, shard, sending.parts)
    if (answer.is === 'said') return keepBatch(work, api, shard, answer.value)
    if (answer.is === 'refused') return takeBack(work, sending, shard, answer)
    return leaveOpen(work, shard, answer.failure)
  })
}

/** Writes down that the provider has the shard. Where somebody has changed it meanwhile, what the provider said decides. */
async function keepBatch(work: BatchWork, api: BatchApi, submitting: BatchShard, said: BatchSaid): Promise<void> {
  const { runtime, store } = work
  const nowMs = runtime.now()
  const firstLookMs = await nextLookMs(work, { ...submitting, submittedAtMs: nowMs })
  for (let shard: BatchShard | null = submitting; shard !== null; shard = await store.batches.shard(shard.id)) {
    if (shard.batchId === said.batchId) return
    if (shard.batchId !== null || !STILL_OPEN.has(shard.state)) break
    const changed = await changeShard(work, shard, {
      state: 'submitted',
      batchId: said.batchId,
      said,
      submittedAtMs: nowMs,
      heardAtMs: nowMs,
      nextLookMs: firstLookMs,
      note: null,
    })
    if (changed !== null) return noteAccepted(work, changed, null)
  }
  tellTrouble(work, submitting, `it was sent twice: ${said.batchId} is cancelled`)
  await cancelStray(work, api, said.batchId)
}

/** Where a shard stands that no batch is known for. */
const STILL_OPEN: ReadonlySet<string> = new Set(['planned', 'submitting', 'unclear'])

/** Nobody knows whether there is a batch. */
async function leaveOpen(work: BatchWork, shard: BatchShard, cause: Failure): Promise<void> {
  const { runtime, times } = work
  const note = `nobody knows whether the provider took it: ${failureText(cause)}`
  tellTrouble(work, shard, note)
  await changeShard(work, shard, { note, nextLookMs: runtime.now() + times.look.firstMs })
}

/** The provider took nothing: the shard is given back, put off, or its rows hear why. */
async function takeBack(work: BatchWork, { api, parts }: Sending, shard: BatchShard, refusal: Refusal): Promise<void> {
  const note = failureText(refusal.failure)
  tellTrouble(work, shard, note)
  if (!refusal.queueFull && isPassing(refusal.failure)) return putOff(work, shard, shard.fileId, refusal.failure)
  if (refusal.queueFull) {
    await noteRefused(work, shard, refusal.failure.message)
    await giveShardBack(work, shard, { note })
  } else {
    const noted = await changeShard(work, shard, { note })
    // What was wrong with the batch need not be wrong with each of its rows.
    if (noted !== null) await voidParts(work, noted, parts, { ...refusal.failure, retryable: true })
  }
  if (shard.fileId !== null) await forgetFile(work, api, shard.fileId)
}

/** Plans the shard again, for later: the longer it has been tried, the later. */
async function putOff(work: BatchWork, shard: BatchShard, fileId: string | null, cause: Failure): Promise<void> {
  const { runtime, times } = work
  const nowMs = runtime.now()
  const waitMs = Math.max(
    cause.retryAfterMs ?? 0,
    waitBeforeLook(nowMs - shard.plannedAtMs, times.look, runtime.random()),
  )
  await changeShard(work, shard, {
    state: 'planned',
    fileId,
    nextLookMs: nowMs + waitMs,
    note: failureText(cause),
  })
}

/** Whether the same shard may be taken another time as it is. */
function isPassing({ cause, status, retryable }: Failure): boolean {
  if (CAUSE_RULES[cause].retry === 'pause') return false
  if (CAUSE_RULES[cause].retry === 'free' || cause === 'connection' || cause === 'timeout') return true
  return retryable && (status === null || status >= 500)
}

/** Repeats what writes an answer down until the store takes it, or this worker stops: nobody else knows the answer. */
async function untilWritten({ runtime }: BatchWork, ended: AbortSignal, write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write()
    } catch (error) {
      if (!(error instanceof StorageFailure) || error.kind === 'closed' || ended.aborted) throw error
      await runtime.sleep(AGAIN_MS)
    }
  }
}
