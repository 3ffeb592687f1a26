import type { BatchSaid, BatchShard } from '../domain/batch.ts'
import type { BatchWork } from './batch-work.ts'
import { tokensOut } from './plan-shards.ts'
import { afterAcceptance, afterRefusal, afterResults } from './queue-room.ts'

/** Notes that the provider's queue was full when it saw this shard, and what that says of its limit. */
export async function noteRefused(work: BatchWork, shard: BatchShard, message: string): Promise<void> {
  const { rooms, runtime, times } = work
  const { account } = shard.kind
  const refusal = {
    outTokens: await othersOut(work, shard),
    tokens: shard.inputTokens,
    message,
    nowMs: runtime.now(),
    draw: runtime.random(),
  }
  rooms.set(account, afterRefusal(rooms.of(account), refusal, times.look))
}

/** Notes that the queue has taken this shard, if that has just become known. `before`: what was last said of it. */
export async function noteAccepted(work: BatchWork, shard: BatchShard, before: BatchSaid | null): Promise<void> {
  const { account } = shard.kind
  const room = work.rooms.of(account)
  if (room.limitTokens === Number.POSITIVE_INFINITY || !isTaken(shard.said) || isTaken(before)) return
  work.rooms.set(account, afterAcceptance(room, (await othersOut(work, shard)) + shard.inputTokens, shard.inputTokens))
}

/** Notes what the provider has counted of the input, where the results of a shard show it: `share` of each token that we took it for. */
export function noteCounted({ rooms }: BatchWork, { kind }: BatchShard, share: number | null): void {
  if (share !== null) rooms.set(kind.account, afterResults(rooms.of(kind.account), share))
}

async function othersOut(work: BatchWork, { id, kind }: BatchShard): Promise<number> {
  const out = await tokensOut(work, id)
  return out.get(kind.account) ?? 0
}

/** Validation is where OpenAI finds its queue full. */
function isTaken(said: BatchSaid | null): boolean {
  return said !== null && said.phase !== 'validating' && said.end !== 'failed'
}
