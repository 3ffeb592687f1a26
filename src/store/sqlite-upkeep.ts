import { type Kysely, sql } from 'kysely'
import { TERMINAL_STATES } from '../domain/job.ts'
import { keepCosts } from './costs.ts'
import type { StoreDatabase } from './database.ts'
import { droppedJobs, forgetJobs, forgetShards } from './forget-job.ts'
import type { Dropped, DropRequest, Upkeep } from './role/upkeep.ts'
import type { Database } from './schema.ts'

/** Rows that go in one transaction: small enough that nobody waits for it. */
const PIECE = 2_000

/** Clean-up of a SQLite store: there are no partitions, so that what is old is deleted in small pieces. Its room is used again by what comes next. */
export function sqliteUpkeep(database: StoreDatabase, now: () => number): Upkeep {
  return Object.freeze({
    prepare: async () => undefined,
    async dropOld({ rowsBeforeMs, attemptsBeforeMs }: DropRequest): Promise<Dropped> {
      const jobs = rowsBeforeMs === null ? [] : await forget(database, rowsBeforeMs, now())
      if (rowsBeforeMs !== null) await database.write((tx) => forgetShards(database.handle(tx), rowsBeforeMs))
      // Also of jobs whose clean-up was broken off.
      await inPieces(database, deleteRows)
      if (jobs.length > 0) {
        await inPieces(database, (db) => deleteAnswers(db, 'answers_recent', 'entry_no'))
        await inPieces(database, (db) => deleteAnswers(db, 'answers', 'answer_key'))
      }
      if (attemptsBeforeMs !== null) await keepCosts(database, attemptsBeforeMs)
      const attempts = attemptsBeforeMs !== null && (await dropLedgers(database, attemptsBeforeMs))
      return { jobs, attempts }
    },
  })
}

async function forget({ reader, write, handle }: StoreDatabase, beforeMs: number, atMs: number) {
  const old = await oldJobs(reader, beforeMs).where('dropped_at_ms', 'is', null).execute()
  const forgotten: Awaited<ReturnType<typeof forgetJobs>>[number][] = []
  for (const { job_no: jobNo } of old)
    forgotten.push(...(await write((tx) => forgetJobs(handle(tx), { jobNo }, beforeMs, atMs))))
  return forgotten
}

function oldJobs(db: Kysely<Database>, beforeMs: number) {
  return db
    .selectFrom('jobs')
    .select('job_no')
    .where('state', 'in', TERMINAL_STATES)
    .where('ended_at_ms', '<', beforeMs)
}

/** Repeats a deletion, each time a transaction of its own, until there is nothing left of it. */
async function inPieces({ write, handle }: StoreDatabase, piece: (db: Kysely<Database>) => Promise<bigint>) {
  let gone = 0n
  do gone = await write((tx) => piece(handle(tx)))
  while (gone > 0n)
}

async function deleteRows(db: Kysely<Database>): Promise<bigint> {
  const job = await db
    .selectFrom('jobs')
    .select(['job_no', 'bucket'])
    .where('dropped_at_ms', 'is not', null)
    .where(({ exists, selectFrom }) =>
      exists(
        selectFrom('rows')
          .select('rows.step')
          .whereRef('rows.bucket', '=', 'jobs.bucket')
          .whereRef('rows.job_no', '=', 'jobs.job_no'),
      ),
    )
    .executeTakeFirst()
  if (job === undefined) return 0n
  const rows = () => db.selectFrom('rows').where('bucket', '=', job.bucket).where('job_no', '=', job.job_no)
  const last = await rows()
    .select('row_index')
    .orderBy('step')
    .orderBy('row_index')
    .limit(1)
    .offset(PIECE)
    .executeTakeFirst()
  let deleting = db.deleteFrom('rows').where('bucket', '=', job.bucket).where('job_no', '=', job.job_no)
  if (last !== undefined) deleting = deleting.where('step', '=', 0).where('row_index', '<', last.row_index)
  return (await deleting.executeTakeFirstOrThrow()).numDeletedRows
}

async function deleteAnswers(
  db: Kysely<Database>,
  table: 'answers' | 'answers_recent',
  key: 'answer_key' | 'entry_no',
): Promise<bigint> {
  const old = sql`select ${sql.ref(key)} from ${sql.table(table)} where job_no in (${droppedJobs(db)}) limit ${PIECE}`
  const { numAffectedRows } = await sql`delete from ${sql.table(table)} where ${sql.ref(key)} in (${old})`.execute(db)
  return numAffectedRows ?? 0n
}

async function dropLedgers(database: StoreDatabase, beforeMs: number): Promise<boolean> {
  const { reader } = database
  const withAttempts = await oldJobs(reader, beforeMs)
    .where(({ exists, selectFrom }) =>
      exists(selectFrom('attempts').select('attempts.id').whereRef('attempts.job_no', '=', 'jobs.job_no')),
    )
    .execute()
  for (const { job_no: jobNo } of withAttempts) await inPieces(database, (db) => deleteAttempts(db, jobNo))
  return withAttempts.length > 0
}

async function deleteAttempts(db: Kysely<Database>, jobNo: number): Promise<bigint> {
  const old = db
    .selectFrom('attempts')
    .select(['job_no', 'chunk_no', 'id'])
    .where('job_no', '=', jobNo)
    .where((eb) =>
      eb.exists(
        eb.selectFrom('jobs').select('job_no').where('job_no', '=', jobNo).where('state', 'in', TERMINAL_STATES),
      ),
    )
    .limit(PIECE)
  const { numDeletedRows } = await db
    .deleteFrom('attempts')
    .where(({ eb, refTuple }) =>
      eb(refTuple('job_no', 'chunk_no', 'id'), 'in', old.$asTuple('job_no', 'chunk_no', 'id')),
    )
    .executeTakeFirstOrThrow()
  return numDeletedRows
}
