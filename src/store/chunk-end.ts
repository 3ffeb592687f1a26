import { type Kysely, type Selectable, sql } from 'kysely'
import type { ChunkClaim, ChunkRef } from '../domain/chunk.ts'
import { addCounters } from '../domain/job.ts'
import { countsOfOutcome } from '../domain/outcome-counts.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { abandonParts, assertPartsClosed, withdrawParts } from './chunk-parts.ts'
import { CANCELLED, type Ending, outcomesOfPending } from './chunk-pending.ts'
import { countingChunks } from './chunk-record.ts'
import { countersOf, plusCounters } from './counters.ts'
import type { StoreDatabase } from './database.ts'
import { changeState } from './job-state.ts'
import { bookLost } from './lost.ts'
import type { ChunkEnd, PendingRow } from './role/chunks.ts'
import { bucketOf } from './rows-of-job.ts'
import type { ChunksTable, Database } from './schema.ts'

type ChunkRow = Selectable<ChunksTable>

/** Ends a claimed chunk whose rows all have outcomes, and whose parts are closed. Throws when one has none, or is not: nothing must be lost in silence. */
export async function completeChunk(
  database: StoreDatabase,
  tx: StoreTx,
  claim: ChunkClaim,
  atMs: number,
): Promise<ChunkEnd> {
  const chunk = await takeClaimed(database.handle(tx), claim, 'done')
  if (chunk === null) return 'stale'
  await assertPartsClosed(database.handle(tx), claim)
  await end(database, tx, chunk, { pending: [], ...CANCELLED }, atMs)
  return await finalizeIfLast(database.handle(tx), claim.jobNo, atMs)
}

/** Ends a claimed chunk as `failed`; its `pending` rows become dead letters, and what is out of it in batches is given up. */
export async function failChunk(
  database: StoreDatabase,
  tx: StoreTx,
  claim: ChunkClaim,
  message: string,
  pending: readonly PendingRow[],
  atMs: number,
): Promise<ChunkEnd> {
  const chunk = await takeClaimed(database.handle(tx), claim, 'failed')
  if (chunk === null) return 'stale'
  await abandonParts(database.handle(tx), claim)
  await end(database, tx, chunk, { pending, state: 'failed', cause: 'chunk_failed', message }, atMs)
  return await finalizeIfLast(database.handle(tx), claim.jobNo, atMs)
}

/**
 * Ends a chunk that nobody holds, in a job of which nobody holds any, and of which no provider has anything; its `pending` rows are `cancelled`.
 * `true` also when it had ended before.
 */
export async function cancelOpenChunk(
  database: StoreDatabase,
  tx: StoreTx,
  ref: ChunkRef,
  pending: readonly PendingRow[],
  atMs: number,
): Promise<boolean> {
  // A claim that is under way comes first, and is seen below.
  await database.lockJob(tx, ref.jobNo, 'exclusive')
  const db = database.handle(tx)
  if (await isAnyLeased(db, ref.jobNo)) return await hasEnded(db, ref)
  if (!(await withdrawParts(db, ref))) return false
  const chunk = await db
    .updateTable('chunks')
    .set({ state: 'done' })
    .where('job_no', '=', ref.jobNo)
    .where('chunk_no', '=', ref.chunkNo)
    .where('state', 'in', ['ready', 'parked'])
    .returningAll()
    .executeTakeFirst()
  if (chunk === undefined) return await hasEnded(db, ref)
  await end(database, tx, chunk, { pending, ...CANCELLED }, atMs)
  return true
}

async function isAnyLeased(db: Kysely<Database>, jobNo: number): Promise<boolean> {
  const leased = await db
    .selectFrom('chunks')
    .select('chunk_no')
    .where('job_no', '=', jobNo)
    .where('chunk_no', 'in', countingChunks(db, jobNo))
    .where('state', '=', 'leased')
    .limit(1)
    .execute()
  return leased.length > 0
}

/** The one way in which a chunk ends: what is open of it is booked, its pending rows get their outcome, and its counters go to the job. */
async function end(database: StoreDatabase, tx: StoreTx, chunk: ChunkRow, ending: Ending, atMs: number): Promise<void> {
  const db = database.handle(tx)
  const { counters: lost } = await bookLost(db, { jobNo: chunk.job_no, chunkNo: chunk.chunk_no }, atMs)
  const outcomes = await outcomesOfPending(db, chunk, ending, atMs)
  const { bucket } = await bucketOf(db, chunk.job_no).executeTakeFirstOrThrow()
  await database.insertOutcomes(tx, { bucket, jobNo: chunk.job_no, chunkNo: chunk.chunk_no }, outcomes)
  await assertAllEnded(db, bucket, chunk)
  const gained = outcomes.map(countsOfOutcome).reduce(addCounters, lost)
  // A chunk that is parked has handed over what it had.
  const owed = chunk.counting === 1 ? addCounters(countersOf(chunk), gained) : gained
  const { done_seq } = await db
    .updateTable('jobs')
    .set(plusCounters(owed))
    .set({ open_chunks: sql`open_chunks - 1`, done_seq: sql`done_seq + 1` })
    .where('job_no', '=', chunk.job_no)
    .returning('done_seq')
    .executeTakeFirstOrThrow()
  await db
    .updateTable('chunks')
    .set(plusCounters(gained))
    .set({ owner: null, counting: 0, done_no: done_seq })
    .where('job_no', '=', chunk.job_no)
    .where('chunk_no', '=', chunk.chunk_no)
    .execute()
}

/** Sets the state of the chunk if it stands under this claim; `null`: its epoch has passed. */
async function takeClaimed(db: Kysely<Database>, claim: ChunkClaim, to: 'done' | 'failed'): Promise<ChunkRow | null> {
  const chunk = await db
    .updateTable('chunks')
    .set({ state: to })
    .where('job_no', '=', claim.jobNo)
    .where('chunk_no', '=', claim.chunkNo)
    .where('epoch', '=', claim.epoch)
    .where('state', '=', 'leased')
    .returningAll()
    .executeTakeFirst()
  return chunk ?? null
}

async function assertAllEnded(db: Kysely<Database>, bucket: number, chunk: ChunkRow): Promise<void> {
  const { ended } = await db
    .selectFrom('rows')
    .select((eb) => eb.fn.countAll<number>().as('ended'))
    .where('bucket', '=', bucket)
    .where('job_no', '=', chunk.job_no)
    .where('step', '=', 0)
    .where('row_index', '>=', chunk.first_row)
    .where('row_index', '<', chunk.first_row + chunk.rows)
    .executeTakeFirstOrThrow()
  if (Number(ended) === chunk.rows) return
  const place = `chunk ${chunk.chunk_no} of job ${chunk.job_no}`
  throw new SluiceError('internal', `${place} was to end with ${ended} of ${chunk.rows} outcomes`)
}

/** The chunk that ended last makes its job `finalizing`: in the same transaction, so that exactly one of them is told. */
async function finalizeIfLast(db: Kysely<Database>, jobNo: number, atMs: number): Promise<ChunkEnd> {
  const job = await db
    .selectFrom('jobs')
    .select(['open_chunks', 'manifest_closed'])
    .where('job_no', '=', jobNo)
    .executeTakeFirstOrThrow()
  if (job.open_chunks > 0 || job.manifest_closed === 0) return 'completed'
  const changed = await changeState(db, jobNo, ['queued', 'running', 'paused'], { to: 'finalizing', atMs })
  return changed ? 'last' : 'completed'
}

async function hasEnded(db: Kysely<Database>, ref: ChunkRef): Promise<boolean> {
  const chunk = await db
    .selectFrom('chunks')
    .select('done_no')
    .where('job_no', '=', ref.jobNo)
    .where('chunk_no', '=', ref.chunkNo)
    .executeTakeFirst()
  return chunk !== undefined && chunk.done_no !== null
}
