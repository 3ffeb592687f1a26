import type { Kysely } from 'kysely'
import type { ChunkRef } from '../domain/chunk.ts'
import { type Counters, NO_COUNTS } from '../domain/job.ts'
import { plusCounters } from './counters.ts'
import type { Database } from './schema.ts'

/**
 * Books the chunk's attempts that are still `open` as `lost`, at the worst case that their intents noted. Returns how many, and what the
 * chunk's counters gain by it. Whoever sent them can no longer book them as its own: a late answer becomes `orphaned` (sqlite-record.ts).
 */
export async function bookLost(
  db: Kysely<Database>,
  ref: ChunkRef,
  atMs: number,
): Promise<{ readonly lost: number; readonly counters: Counters }> {
  const lost = await db
    .updateTable('attempts')
    .set({ state: 'lost', ended_at_ms: atMs })
    .where('job_no', '=', ref.jobNo)
    .where('chunk_no', '=', ref.chunkNo)
    .where('state', '=', 'open')
    .returning(['input_tokens', 'output_tokens', 'cost_nano'])
    .execute()
  const sums = { attempts: lost.length, inputTokens: 0, outputTokens: 0, costNano: 0, unpriced: 0 }
  for (const attempt of lost) {
    sums.inputTokens += attempt.input_tokens
    sums.outputTokens += attempt.output_tokens
    sums.costNano += attempt.cost_nano ?? 0
    if (attempt.cost_nano === null) sums.unpriced += 1
  }
  return { lost: lost.length, counters: { ...NO_COUNTS, ...sums } }
}

/** Books what a dead holder left open, into the counters of its chunk. Returns how many attempts that were. */
export async function countLost(db: Kysely<Database>, ref: ChunkRef, atMs: number): Promise<number> {
  const { lost, counters } = await bookLost(db, ref, atMs)
  if (lost === 0) return 0
  const chunk = db.updateTable('chunks').where('job_no', '=', ref.jobNo).where('chunk_no', '=', ref.chunkNo)
  await chunk.set(plusCounters(counters)).execute()
  return lost
}
