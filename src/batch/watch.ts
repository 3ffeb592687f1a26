import type { BatchSaid, BatchShard } from '../domain/batch.ts'
import type { ApiAnswer, BatchApi } from './batch-api.ts'
import { type BatchWork, changeShard, failureText, tellTrouble } from './batch-work.ts'
import { openApi } from './open-api.ts'
import { type LookTimes, waitBeforeLook } from './poll-interval.ts'
import { noteAccepted } from './queue-notes.ts'
import { within } from './within.ts'

/**
 * Asks how a batch stands, and cancels it where that is wanted. Whatever goes wrong, nothing but the time of the next look changes: a look that
 * fails never sends anything again.
 */
export async function watchShard(work: BatchWork, shard: BatchShard, ended: AbortSignal): Promise<void> {
  const { runtime } = work
  const api = openApi(work, shard.kind)
  const answer: ApiAnswer<BatchSaid> = api.ok
    ? await askAbout(work, api.value, shard, ended)
    : { is: 'refused', failure: api.failure, queueFull: false }
  const nowMs = runtime.now()
  if (answer.is !== 'said') {
    const note = failureText(answer.failure)
    if (note !== shard.note) tellTrouble(work, shard, note)
    await changeShard(work, shard, { nextLookMs: await nextLookMs(work, shard), note })
    return
  }
  const said = answer.value
  const heard = { said, heardAtMs: nowMs, note: shard.guessed ? shard.note : null }
  const changed =
    said.phase === 'ended'
      ? await changeShard(work, shard, { ...heard, state: 'ended', endedAtMs: nowMs, nextLookMs: nowMs })
      : await changeShard(work, shard, { ...heard, nextLookMs: await nextLookMs(work, shard) })
  if (changed !== null) await noteAccepted(work, changed, shard.said)
}

/** Cancels, where that is wanted and not under way; else, and where that is refused (it may be over), looks. */
async function askAbout(
  { runtime, times }: BatchWork,
  api: BatchApi,
  { batchId, said, guessed, cancelWantedMs }: BatchShard,
  ended: AbortSignal,
): Promise<ApiAnswer<BatchSaid>> {
  const id = batchId ?? ''
  const bounds = { ms: times.callMs, ended }
  // What may be somebody else's is not ours to cancel.
  if (cancelWantedMs !== null && !guessed && said?.phase !== 'cancelling') {
    const answer = await within(runtime, bounds, (signal) => api.cancel(id, signal))
    if (answer.is === 'said') return answer
  }
  return within(runtime, bounds, (signal) => api.poll(id, signal))
}

/** When to look next at a batch that is out, as its jobs want it. One that is being cancelled is looked at as if it had begun then. */
export async function nextLookMs({ runtime, times, policies }: BatchWork, shard: BatchShard): Promise<number> {
  const { pollMs } = await policies.ofShard(shard)
  const { firstMs, mostMs } = times.look
  const look: LookTimes = { firstMs: Math.min(firstMs, pollMs), mostMs: Math.min(mostMs, pollMs) }
  const nowMs = runtime.now()
  const sinceMs = Math.max(shard.submittedAtMs ?? nowMs, shard.cancelWantedMs ?? 0)
  return nowMs + waitBeforeLook(nowMs - sinceMs, look, runtime.random())
}
