import type { Kysely, Selectable } from 'kysely'
import type { ChunkRef } from '../domain/chunk.ts'
import type { Counters } from '../domain/job.ts'
import { countersOf, negated, plusCounters } from './counters.ts'
import { bookLost } from './lost.ts'
import type { ChunksTable, Database } from './schema.ts'

/**
 * Hands the counters of a chunk that is parked to its job, until it is taken up again: so the chunks whose counters have to be added up are few,
 * however many are parked. What its holder left open is booked as lost before: nobody answers for it any more.
 */
export async function handCountersOver(db: Kysely<Database>, chunk: Selectable<ChunksTable>, atMs: number) {
  const { counters: lost } = await bookLost(db, refOf(chunk), atMs)
  const { job_no: jobNo, chunk_no: chunkNo } = chunk
  const handed = await db
    .updateTable('chunks')
    .set({ ...plusCounters(lost), counting: 0 })
    .where('job_no', '=', jobNo)
    .where('chunk_no', '=', chunkNo)
    .returningAll()
    .executeTakeFirstOrThrow()
  await addToJob(db, jobNo, countersOf(handed))
}

/** Takes the counters of an open chunk back from its job, where it had handed them over. */
export async function takeCountersBack(db: Kysely<Database>, { jobNo, chunkNo }: ChunkRef): Promise<void> {
  const taken = await db
    .updateTable('chunks')
    .set({ counting: 1 })
    .where('job_no', '=', jobNo)
    .where('chunk_no', '=', chunkNo)
    .where('counting', '=', 0)
    .where('done_no', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (taken !== undefined) await addToJob(db, jobNo, negated(countersOf(taken)))
}

async function addToJob(db: Kysely<Database>, jobNo: number, counters: Counters): Promise<void> {
  const gained = plusCounters(counters)
  if (Object.keys(gained).length === 0) return
  await db.updateTable('jobs').set(gained).where('job_no', '=', jobNo).execute()
}

function refOf({ job_no, chunk_no }: Selectable<ChunksTable>): ChunkRef {
  return { jobNo: job_no, chunkNo: chunk_no }
}
