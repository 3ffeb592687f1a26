import { PARTITIONED, type Partitioned } from './migrations/column-types.ts'
import { SCHEMA, type Session } from './postgres-session.ts'

/** Keeps those who make partitions at the same time apart. */
const PARTITION_LOCK = '8316299033521751'

const WEEK_MS = 7 * 86_400_000

/** The first Monday of UTC time. */
const FIRST_MONDAY_MS = 4 * 86_400_000

/** Buckets above this are of one job each, by its number; below are weeks. */
const FIRST_OWN_BUCKET = 2 ** 40

/** The bucket that jobs created at `atMs` share: their week, counted from the first of 1970. */
export function weekBucket(atMs: number): number {
  return Math.floor((atMs - FIRST_MONDAY_MS) / WEEK_MS)
}

/** The bucket of a job that has one to itself. */
export function ownBucket(jobNo: number): number {
  return FIRST_OWN_BUCKET + jobNo
}

/** Part of a table that can be dropped as a whole. */
export interface Partition {
  readonly table: Partitioned
  readonly name: string
  /** As `create table … partition of … for values` takes it. */
  readonly values: string
  /** Of attempts: from the first id, up to the second. */
  readonly ids?: readonly [string, string]
}

/** Where the rows of a bucket lie. */
export function rowsPartition(bucket: number): Partition {
  const name = bucket > FIRST_OWN_BUCKET ? `rows_job_${bucket - FIRST_OWN_BUCKET}` : `rows_week_${bucket}`
  return { table: 'rows', name, values: `in (${bucket})` }
}

/** The bucket of a partition of rows, by its name; `null` for the name of anything else. */
export function bucketOfPartition(name: string): number | null {
  const [, kind, number] = /^rows_(week|job)_(-?\d+)$/.exec(name) ?? []
  if (number === undefined) return null
  return kind === 'job' ? ownBucket(Number(number)) : Number(number)
}

/** Where the attempts of the UTC month lie that is `ahead` months after that of `atMs`. */
export function attemptsPartition(atMs: number, ahead = 0): Partition {
  const day = new Date(atMs)
  const [year, month] = [day.getUTCFullYear(), day.getUTCMonth() + ahead]
  const [from, to] = [Date.UTC(year, month), Date.UTC(year, month + 1)]
  const name = `attempts_${new Date(from).toISOString().slice(0, 7).replace('-', '_')}`
  const ids = [idBound(from), idBound(to)] as const
  return { table: 'attempts', name, values: `from ('${ids[0]}') to ('${ids[1]}')`, ids }
}

/** The end of the month of a partition of attempts, by its name; `null` for the name of anything else. */
export function endOfAttemptsPartition(name: string): number | null {
  const [, year, month] = /^attempts_(\d{4})_(\d\d)$/.exec(name) ?? []
  return year === undefined ? null : Date.UTC(Number(year), Number(month))
}

/** The least id (UUIDv7) that an attempt sent at `atMs` can have, as PostgreSQL writes bytes. */
export function idBound(atMs: number): string {
  return `\\x${atMs.toString(16).padStart(12, '0')}${'00'.repeat(10)}`
}

/**
 * Makes the partition if it is missing, inside the caller's transaction. It is made apart and then attached, which hinders nobody: to be made
 * as a part of its table it would have to wait for everyone who uses that, and they for it.
 */
export async function makePartition(session: Session, partition: Partition): Promise<void> {
  const { table, name, values, ids } = partition
  await session.query(`select pg_advisory_xact_lock(${PARTITION_LOCK})`)
  const found = (await listPartitions(session, table)).find((known) => known.name === name)
  if (found?.place === 'attached') return
  if (found?.place === 'loose') await session.query(`drop table ${name}`)
  await session.query(`create table ${name} (like ${table} including all) ${PARTITIONED[table]}`)
  if (ids !== undefined) await moveStrays(session, name, ids)
  await session.query(`alter table ${table} attach partition ${name} for values ${values}`)
}

/**
 * Takes over what a wrong clock has sent ahead of its month: PostgreSQL attaches no partition whose rows the default one holds. To attach it keeps
 * everybody out of that anyway.
 */
async function moveStrays(session: Session, name: string, [from, to]: readonly [string, string]): Promise<void> {
  await session.query('lock table attempts_other in access exclusive mode')
  await session.query(
    `with moved as (delete from attempts_other where id >= '${from}' and id < '${to}' returning *)
     insert into ${name} select * from moved`,
  )
}

/**
 * The partitions of a table, with those that a clean-up has taken out of it (`loose`) or was about to (`leaving`) when it was broken off.
 */
export async function listPartitions(
  session: Session,
  table: Partitioned,
): Promise<readonly { readonly name: string; readonly place: 'attached' | 'leaving' | 'loose' }[]> {
  const { rows } = await session.query<{ name: string; leaving: boolean | null }>(
    `select pg_class.relname as name, pg_inherits.inhdetachpending as leaving
     from pg_class left join pg_inherits on pg_inherits.inhrelid = pg_class.oid
     where pg_class.relnamespace = $1::regnamespace and pg_class.relkind = 'r' and starts_with(pg_class.relname, $2)
     order by 1`,
    [SCHEMA, `${table}_`],
  )
  return rows.map(({ name, leaving }) => ({
    name,
    place: leaving === null ? 'loose' : leaving ? 'leaving' : 'attached',
  }))
}

/**
 * Takes the partition out of its table and drops it, outside of any transaction; harmless to repeat. Of rows nobody is hindered by that. Where
 * there is a partition for all the rest, as of attempts, PostgreSQL wants everybody out of the table for a moment.
 */
export async function dropPartition(session: Session, table: Partitioned, name: string): Promise<void> {
  const found = (await listPartitions(session, table)).find((partition) => partition.name === name)
  if (table === 'rows' && found?.place === 'attached')
    await session.query(`alter table rows detach partition ${name} concurrently`)
  if (found?.place === 'leaving') await session.query(`alter table ${table} detach partition ${name} finalize`)
  await session.query(`drop table if exists ${name}`)
}
