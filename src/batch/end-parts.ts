import type { BatchPart, BatchShard } from '../domain/batch.ts'
import type { ChunkRef } from '../domain/chunk.ts'
import type { Failure } from '../domain/failure.ts'
import type { Priority } from '../domain/job.ts'
import { chunkMessages } from '../queue/chunk-messages.ts'
import type { PartEnd } from '../store/role/batches.ts'
import { type BatchWork, shardEvent } from './batch-work.ts'

/** Somebody else changed the shard: the transaction is rolled back. */
class Passed extends Error {}

/**
 * Ends the parts of a shard, which are all it has, in one transaction, and asks for the chunks that are free by that. `false`: somebody was faster, and nothing changed.
 */
export async function endParts(
  work: BatchWork,
  shard: BatchShard,
  parts: readonly BatchPart[],
  ends: readonly PartEnd[],
): Promise<boolean> {
  const { store, queue, events, policies, policyOf } = work
  const priorities = new Map<number, Priority>()
  for (const jobNo of new Set(parts.map((part) => part.jobNo))) priorities.set(jobNo, (await policyOf(jobNo)).priority)
  const message = (ref: ChunkRef) => chunkMessages([ref], shard.tenantNo, priorities.get(ref.jobNo) ?? 'normal')
  try {
    await store.write(async (tx) => {
      const free = await store.batches.collect(tx, shard, ends)
      if (free === null) throw new Passed()
      await queue.enqueue(tx, free.flatMap(message))
    })
  } catch (error) {
    if (error instanceof Passed) return false
    throw error
  }
  policies.forget(shard.id)
  events.emit('batch.shard', shardEvent({ ...shard, state: 'collected' }))
  return true
}

/** Ends all parts of a shard without results. */
export async function voidParts(
  work: BatchWork,
  shard: BatchShard,
  parts: readonly BatchPart[],
  failure: Failure,
): Promise<void> {
  const ends = parts.map(({ id }): PartEnd => ({ partId: id, failure }))
  await endParts(work, shard, parts, ends)
}
