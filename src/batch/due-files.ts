import type { BatchShard } from '../domain/batch.ts'
import type { BatchApi } from './batch-api.ts'
import { type BatchWork, changeShard, failureText, tellTrouble } from './batch-work.ts'
import { ask } from './open-api.ts'
import { waitBeforeLook } from './poll-interval.ts'

/** Whether an ended batch has answers whose file its provider does not name yet, and it is worth while to wait for that. */
export function awaitsFiles({ runtime, times }: BatchWork, { said, endedAtMs }: BatchShard): boolean {
  return said?.filesDue === true && runtime.now() - (endedAtMs ?? 0) < times.filesMs
}

/** Asks again about an ended batch whose results have no name yet: what it counts as answered is paid for. */
export async function askForFiles(work: BatchWork, api: BatchApi, shard: BatchShard): Promise<void> {
  const { runtime, times } = work
  const answer = await ask(work, (signal) => api.poll(shard.batchId ?? '', signal))
  const nowMs = runtime.now()
  if (answer.is === 'said' && answer.value.end !== null && answer.value.filesDue !== true) {
    await changeShard(work, shard, { said: answer.value, heardAtMs: nowMs, nextLookMs: nowMs, note: null })
    return
  }
  const note =
    answer.is === 'said'
      ? 'it has ended, and its provider does not name the file of its answers yet'
      : failureText(answer.failure)
  if (note !== shard.note) tellTrouble(work, shard, note)
  const waitMs = waitBeforeLook(nowMs - (shard.endedAtMs ?? nowMs), times.look, runtime.random())
  await changeShard(work, shard, { nextLookMs: nowMs + waitMs, note })
}
