import type { BatchShard } from '../domain/batch.ts'
import type { BatchApi } from './batch-api.ts'
import { type BatchWork, changeShard, failureText, tellTrouble } from './batch-work.ts'
import { candidatesOf } from './candidates.ts'
import { cancelStray, forgetFile, openApi } from './open-api.ts'
import { waitBeforeLook } from './poll-interval.ts'
import { noteAccepted } from './queue-notes.ts'
import { type Finding, whichBatch } from './which-batch.ts'
import { within } from './within.ts'

/** How many times as long as a create may wait to begin the worker that wrote the intent is left alone. */
const PATIENCE = 1.5
/** Shards that are looked at for being like this one. */
const MOST_RIVALS = 1_000

/**
 * Finds out what became of a shard whose create was begun, or may have been, and of which no answer is known: by listing the provider's batches.
 * Nothing is created in here. A shard that its own worker may still be submitting is left alone.
 */
export async function reconcileShard(work: BatchWork, shard: BatchShard, ended: AbortSignal): Promise<void> {
  const { runtime, times } = work
  if (await isInGoodHands(work, shard)) return lookLater(work, shard, shard.note)
  const api = openApi(work, shard.kind)
  if (!api.ok) return lookLater(work, shard, failureText(api.failure))
  if (wasUploading(shard, api.value)) {
    return sendAgain(work, api.value, shard, 'its upload was cut off: it is sent again')
  }
  const sinceMs = shard.plannedAtMs - times.skewMs
  const listed = await within(runtime, { ms: times.callMs, ended }, (signal) => api.value.list(sinceMs, signal))
  if (listed.is !== 'said') return lookLater(work, shard, failureText(listed.failure))
  // Before it is asked which batches are known: who records its batch in between counts at one of the two.
  const rivals = api.value.namesShards ? 0 : await rivalsOf(work, shard)
  const candidates = await candidatesOf(work, api.value, shard, listed.value, ended)
  const finding = whichBatch({
    candidates,
    named: api.value.namesShards,
    rivals,
    settled: runtime.now() >= settledAtMs(work, shard),
  })
  const foreign = candidates.filter(({ proof }) => proof === 'foreign').map(({ said }) => said.batchId)
  await follow(work, api.value, { ...shard, notBatchIds: [...shard.notBatchIds, ...foreign] }, finding)
}

/** Where requests go as a file, nothing can have been created as long as there is none; and whoever was uploading finds the shard changed. */
export function wasUploading({ state, fileId }: BatchShard, { takesFiles }: BatchApi): boolean {
  return takesFiles && state === 'submitting' && fileId === null
}

/** When everything that its submitter could have begun is over, and would be listed. */
export function settledAtMs({ times }: Pick<BatchWork, 'times'>, { intentAtMs, fileId }: BatchShard): number {
  return (intentAtMs ?? 0) + times.beginMs + (fileId === null ? times.bodyMs : times.callMs) + times.lagMs
}

async function isInGoodHands({ workerId, isGone, runtime, times }: BatchWork, shard: BatchShard): Promise<boolean> {
  const { state, submitter, intentAtMs } = shard
  if (state !== 'submitting' || submitter === null || submitter === workerId) return false
  if (runtime.now() >= (intentAtMs ?? 0) + times.beginMs * PATIENCE) return false
  return !(await isGone(submitter))
}

/** Other shards of the same size at the same place, of which is not known either what became of them. */
async function rivalsOf({ store }: BatchWork, shard: BatchShard): Promise<number> {
  const open = await store.batches.shards({ states: ['submitting', 'unclear'] }, MOST_RIVALS)
  return open.filter((other) => other.id !== shard.id && other.requests === shard.requests && isSamePlace(other, shard))
    .length
}

function isSamePlace({ kind: { target: a } }: BatchShard, { kind: { target: b } }: BatchShard): boolean {
  const provider = (id: string) => id.slice(0, id.indexOf('/'))
  return provider(a.id) === provider(b.id) && a.baseUrl === b.baseUrl && a.apiKeyEnv === b.apiKeyEnv
}

async function follow(work: BatchWork, api: BatchApi, shard: BatchShard, finding: Finding): Promise<void> {
  if (finding.do === 'wait') return lookLater(work, shard, shard.note)
  if (finding.do === 'adopt') return adopt(work, api, shard, finding)
  if (finding.do === 'resend') return sendAgain(work, api, shard, 'the provider has no batch of it: it is sent again')
  const note = `several batches could be it, and it is not sent again: ${finding.batchIds.join(', ')}`
  if (shard.state !== 'unclear') tellTrouble(work, shard, note)
  await lookLater(work, shard, note, 'unclear')
}

async function adopt(
  work: BatchWork,
  api: BatchApi,
  shard: BatchShard,
  { said, sure, strays }: Extract<Finding, { readonly do: 'adopt' }>,
): Promise<void> {
  const nowMs = work.runtime.now()
  const note = sure
    ? 'found again at the provider'
    : 'the only batch of its time and size that nobody else has: its results will show whether it is this one'
  const adopted = await changeShard(work, shard, {
    state: 'submitted',
    batchId: said.batchId,
    guessed: !sure,
    notBatchIds: shard.notBatchIds,
    said,
    submittedAtMs: said.createdAtMs ?? nowMs,
    heardAtMs: nowMs,
    nextLookMs: nowMs,
    note,
  })
  if (adopted === null) return
  await noteAccepted(work, adopted, null)
  for (const { batchId } of strays) {
    tellTrouble(work, adopted, `it was sent twice: ${batchId} is cancelled`)
    await cancelStray(work, api, batchId)
  }
}

async function sendAgain(work: BatchWork, api: BatchApi, shard: BatchShard, note: string): Promise<void> {
  // First the file: whatever of an old create is still on its way comes to nothing by that.
  if (shard.fileId !== null) await forgetFile(work, api, shard.fileId)
  const nowMs = work.runtime.now()
  await changeShard(work, shard, {
    state: 'planned',
    fileId: null,
    notBatchIds: shard.notBatchIds,
    nextLookMs: nowMs,
    note,
  })
}

/** The longer it has been open, the later. */
async function lookLater(
  work: BatchWork,
  shard: BatchShard,
  note: string | null,
  state: 'submitting' | 'unclear' = shard.state === 'unclear' ? 'unclear' : 'submitting',
): Promise<void> {
  const { runtime, times } = work
  const nowMs = runtime.now()
  const waitMs = waitBeforeLook(nowMs - (shard.intentAtMs ?? nowMs), times.look, runtime.random())
  await changeShard(work, shard, { state, notBatchIds: shard.notBatchIds, nextLookMs: nowMs + waitMs, note })
}
