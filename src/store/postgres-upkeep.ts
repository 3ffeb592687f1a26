import { sql } from 'kysely'
import { TERMINAL_STATES } from '../domain/job.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { Runtime } from '../runtime.ts'
import { keepCosts } from './costs.ts'
import type { StoreDatabase } from './database.ts'
import { forgetJobs, forgetShards } from './forget-job.ts'
import {
  bucketOfPartition,
  dropPartition,
  endOfAttemptsPartition,
  idBound,
  listPartitions,
  weekBucket,
} from './postgres-partitions.ts'
import type { PostgresPlaces } from './postgres-places.ts'
import { openSession, type Session, type SessionOptions } from './postgres-session.ts'
import type { Dropped, DropRequest, Upkeep } from './role/upkeep.ts'

/** A month of attempts leaves its table when everybody is out of that for a moment; nobody is to wait long for this. */
const DETACH_WAIT = '2s'
const DETACH_TRIES = 10

/** Pages of a table that are looked through by one statement. */
const PAGES = 2_000

/** Rows that are deleted by one statement. */
const PIECE = 5_000

interface UpkeepOptions {
  readonly database: StoreDatabase
  readonly places: PostgresPlaces
  readonly session: SessionOptions
  readonly runtime: Runtime
}

/** Clean-up of a PostgreSQL store: what is old goes partition by partition, at no cost per row. */
export function postgresUpkeep({ database, places, session, runtime }: UpkeepOptions): Upkeep {
  return Object.freeze({
    prepare: () => places.prepare(),
    async dropOld({ rowsBeforeMs, attemptsBeforeMs }: DropRequest): Promise<Dropped> {
      const jobs = rowsBeforeMs === null ? [] : await forgetBuckets(database, rowsBeforeMs, runtime.now())
      if (rowsBeforeMs !== null) await database.write((tx) => forgetShards(database.handle(tx), rowsBeforeMs))
      const own = await openSession({ ...session, statementMs: 0, settings: { lock_timeout: DETACH_WAIT } })
      try {
        await dropRows(database, own, runtime)
        if (jobs.length > 0) await deleteAnswers(own)
        if (attemptsBeforeMs !== null) await keepCosts(database, attemptsBeforeMs)
        const attempts = attemptsBeforeMs !== null && (await dropAttempts(own, runtime, attemptsBeforeMs))
        return { jobs, attempts }
      } finally {
        await own.end()
      }
    },
  })
}

class StillNeeded extends Error {}

/** Marks the jobs of each bucket that has none but old ones. */
async function forgetBuckets({ reader, write, handle }: StoreDatabase, beforeMs: number, atMs: number) {
  const young = sql<boolean>`bool_or(state not in ('completed', 'failed', 'cancelled') or ended_at_ms >= ${beforeMs})`
  const buckets = await reader
    .selectFrom('jobs')
    .select('bucket')
    .where('dropped_at_ms', 'is', null)
    .groupBy('bucket')
    .having(young, '=', false)
    .execute()
  const forgotten: Awaited<ReturnType<typeof forgetJobs>>[number][] = []
  for (const { bucket } of buckets) {
    try {
      const jobs = await write(async (tx) => {
        const dropped = await forgetJobs(handle(tx), { bucket }, beforeMs, atMs)
        const left = handle(tx).selectFrom('jobs').select('job_no').where('bucket', '=', bucket)
        // Retried meanwhile, or new: then its neighbours stay too, whose rows lie with it.
        if ((await left.where('dropped_at_ms', 'is', null).limit(1).execute()).length > 0) throw new StillNeeded()
        return dropped
      })
      forgotten.push(...jobs)
    } catch (error) {
      if (!(error instanceof StillNeeded)) throw error
    }
  }
  return forgotten
}

/** Drops the partitions of rows that no job needs; those of a clean-up that was broken off too. */
async function dropRows({ reader }: StoreDatabase, session: Session, runtime: Runtime): Promise<void> {
  const needed = await reader
    .selectFrom('jobs')
    .select('bucket')
    .distinct()
    .where('dropped_at_ms', 'is', null)
    .execute()
  const buckets = new Set(needed.map((job) => job.bucket))
  // Partitions are made before their first job: young ones may be waited for.
  const week = weekBucket(runtime.now())
  for (const { name } of await listPartitions(session, 'rows')) {
    const bucket = bucketOfPartition(name)
    const young = bucket === null || Math.abs(bucket - week) <= 1
    if (!young && !buckets.has(bucket)) await patiently(runtime, () => dropPartition(session, 'rows', name))
  }
}

/** Drops the months of attempts that ended before `beforeMs`, up to the first job that is not over: its attempts are still looked at. */
async function dropAttempts(session: Session, runtime: Runtime, beforeMs: number): Promise<boolean> {
  const { rows } = await session.query<{ oldest: number | null }>(
    'select min(created_at_ms) as oldest from jobs where state <> all ($1)',
    [TERMINAL_STATES],
  )
  const end = Math.min(beforeMs, rows[0]?.oldest ?? beforeMs)
  const old = (await listPartitions(session, 'attempts')).filter(({ name }) => {
    const until = endOfAttemptsPartition(name)
    return until !== null && until <= end
  })
  for (const { name } of old) await patiently(runtime, () => dropPartition(session, 'attempts', name))
  const others = await inPieces(() =>
    session.query(
      `delete from attempts_other where ctid = any (array(select ctid from attempts_other where id < $1::text::bytea limit ${PIECE}))`,
      [idBound(end)],
    ),
  )
  return old.length > 0 || others > 0
}

/** Answers stand in the order of their keys: those of dropped jobs are looked for page by page. */
async function deleteAnswers(session: Session): Promise<void> {
  const { rows } = await session.query<{ pages: number }>(
    `select (pg_relation_size('answers') / current_setting('block_size')::int)::int as pages`,
  )
  const pages = rows[0]?.pages ?? 0
  for (let page = 0; page < pages; page += PAGES) {
    await session.query(
      `delete from answers using jobs
       where jobs.job_no = answers.job_no and jobs.dropped_at_ms is not null
       and answers.ctid >= $1::text::tid and answers.ctid < $2::text::tid`,
      [`(${page},0)`, `(${page + PAGES},0)`],
    )
  }
}

/** Repeats a deletion until there is nothing left of it. Returns how many rows went. */
async function inPieces(piece: () => Promise<{ readonly rowCount: number | null }>): Promise<number> {
  for (let sum = 0; ; ) {
    const { rowCount } = await piece()
    if (rowCount === null || rowCount === 0) return sum
    sum += rowCount
  }
}

/** Tries again while others are in the way. */
async function patiently(runtime: Runtime, work: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StorageFailure) || error.kind !== 'busy' || tries >= DETACH_TRIES) throw error
      await runtime.sleep(runtime.random() * 500 * tries)
    }
  }
}
