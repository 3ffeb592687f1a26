import { type ExpressionBuilder, type Kysely, sql } from 'kysely'
import type { PartState } from '../domain/batch.ts'
import type { ChunkRef } from '../domain/chunk.ts'
import { TERMINAL_STATES } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { doubtHoldings, freeHoldings } from './budget-holdings.ts'
import { inStatements } from './database.ts'
import type { Database } from './schema.ts'

/**
 * Whether nothing of a chunk is out in a batch, as a condition on `chunks`. Not as `not exists`: PostgreSQL would make a join of that, and while it
 * does not know yet how many parts there are, go over all parts of the job for each chunk.
 */
export function noneIsOut(db: Kysely<Database>) {
  return (eb: ExpressionBuilder<Database, 'chunks'>) => eb(partIn(db, ['packed', 'placed']), 'is', null)
}

/** Some part of a chunk that is in one of these states: a subquery for queries on `chunks`. */
function partIn(db: Kysely<Database>, states: readonly PartState[]) {
  return db
    .selectFrom('batch_parts as part')
    .select('part.state')
    .where('part.job_no', '=', sql.ref<number>('chunks.job_no'))
    .where('part.chunk_no', '=', sql.ref<number>('chunks.chunk_no'))
    .where('part.state', 'in', states)
    .limit(1)
}

/** Chunks that nobody holds and of which nothing is out in a batch, as a condition on `chunks`: what is to be worked on. */
export function isIdle(db: Kysely<Database>) {
  return (eb: ExpressionBuilder<Database, 'chunks'>) =>
    eb.and([eb('chunks.state', 'in', ['ready', 'parked']), noneIsOut(db)(eb)])
}

/** Chunks that have results to be booked, and nothing out in a batch, as a condition on `chunks`. */
export function hasResults(db: Kysely<Database>) {
  return (eb: ExpressionBuilder<Database, 'chunks'>) =>
    eb.and([eb(partIn(db, ['answered', 'void']), 'is not', null), noneIsOut(db)(eb)])
}

/**
 * Those of the chunks that are idle, of jobs that are not over. Whoever ends parts locks their chunks before (`lockChunks`): a worker that parks one
 * at this moment has either done so, and it is found here, or it waits, and sees that its parts are over.
 */
export async function idleOf(db: Kysely<Database>, refs: readonly ChunkRef[]): Promise<readonly ChunkRef[]> {
  const idle: ChunkRef[] = []
  for (const [jobNo, chunks] of Map.groupBy(refs, (ref) => ref.jobNo)) {
    for (const some of inStatements(chunks, 1)) {
      const rows = await db
        .selectFrom('chunks')
        .innerJoin('jobs', 'jobs.job_no', 'chunks.job_no')
        .select('chunks.chunk_no')
        .where('chunks.job_no', '=', jobNo)
        .where(
          'chunks.chunk_no',
          'in',
          some.map((ref) => ref.chunkNo),
        )
        .where('jobs.state', 'not in', TERMINAL_STATES)
        .where(isIdle(db))
        .orderBy('chunks.chunk_no')
        .execute()
      idle.push(...rows.map((chunk) => ({ jobNo, chunkNo: chunk.chunk_no })))
    }
  }
  return idle
}

/** Throws SluiceError `internal` where a chunk that is to be completed has a part that is not closed: a paid answer must not be lost in silence. */
export async function assertPartsClosed(db: Kysely<Database>, ref: ChunkRef): Promise<void> {
  const open = await openParts(db, ref).select(['part_id', 'state']).limit(1).executeTakeFirst()
  if (open === undefined) return
  const place = `chunk ${ref.chunkNo} of job ${ref.jobNo}`
  throw new SluiceError('internal', `${place} was to end while part ${open.part_id} of a batch is ${open.state}`)
}

/**
 * Closes the parts of a chunk that is given up. What is held for those that a provider has, or has answered, may have been billed without ever
 * being booked, and becomes doubtful; what was never sent is free.
 */
export async function abandonParts(db: Kysely<Database>, ref: ChunkRef): Promise<void> {
  const parts = await lockParts(db, ref)
  if (parts.length === 0) return
  const [sent, unsent] = [parts.filter(wasSent), parts.filter((part) => !wasSent(part))]
  await closeAll(db, ref)
  await doubtHoldings(db, ref.jobNo, sent.map(idOf))
  await freeHoldings(db, ref.jobNo, unsent.map(idOf))
}

/**
 * Closes the parts of a chunk that is to be cancelled, where none of them is with a provider or answered; what was held for them is free. `false`:
 * one is, and nothing was changed.
 */
export async function withdrawParts(db: Kysely<Database>, ref: ChunkRef): Promise<boolean> {
  const parts = await lockParts(db, ref)
  if (parts.some(wasSent)) return false
  if (parts.length === 0) return true
  await closeAll(db, ref)
  await freeHoldings(db, ref.jobNo, parts.map(idOf))
  return true
}

type OpenPart = Awaited<ReturnType<typeof lockParts>>[number]

const wasSent = ({ state }: OpenPart) => state === 'placed' || state === 'answered'
const idOf = (part: OpenPart) => part.part_id

function openParts(db: Kysely<Database>, { jobNo, chunkNo }: ChunkRef) {
  const parts = db.selectFrom('batch_parts').where('job_no', '=', jobNo).where('chunk_no', '=', chunkNo)
  return parts.where('state', '<>', 'closed')
}

/** Changes nothing but locks the rows: nobody places one of them from here on. */
async function lockParts(db: Kysely<Database>, { jobNo, chunkNo }: ChunkRef) {
  return await db
    .updateTable('batch_parts')
    .set({ state: sql`state` })
    .where('job_no', '=', jobNo)
    .where('chunk_no', '=', chunkNo)
    .where('state', '<>', 'closed')
    .returning(['part_id', 'state'])
    .execute()
}

async function closeAll(db: Kysely<Database>, { jobNo, chunkNo }: ChunkRef): Promise<void> {
  await db
    .updateTable('batch_parts')
    .set({ state: 'closed' })
    .where('job_no', '=', jobNo)
    .where('chunk_no', '=', chunkNo)
    .where('state', '<>', 'closed')
    .execute()
}
