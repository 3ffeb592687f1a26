import type { StoreTx } from '../domain/store-tx.ts'
import {
  attemptsPartition,
  listPartitions,
  makePartition,
  ownBucket,
  type Partition,
  rowsPartition,
  weekBucket,
} from './postgres-partitions.ts'
import type { Session } from './postgres-session.ts'
import type { PostgresWriter } from './postgres-writer.ts'

/** Months of attempts and weeks of rows that are made ahead. */
const MONTHS_AHEAD = 2
const WEEKS_AHEAD = 1

const WEEK_MS = 7 * 86_400_000

/** Where rows and attempts lie: the partitions, made before they are needed. */
export interface PostgresPlaces {
  /** The bucket of a job that is created at `atMs`, with its partition made. */
  bucketFor(atMs: number): Promise<number>
  /** The bucket that a job of so many rows has to itself, with its partition made; `null` for a small one. */
  ownBucket(tx: StoreTx, jobNo: number, rows: number): Promise<number | null>
  /** Makes the partitions of this time and of the time to come, as the database's clock has it, where they are missing. */
  prepare(): Promise<void>
}

/** Jobs of more than `ownBucketRows` get a partition of rows to themselves. */
export function postgresPlaces(writer: PostgresWriter, ownBucketRows: number): PostgresPlaces {
  const made = new Set<string>()
  const make = async (partitions: readonly Partition[]) => {
    await writer.write(async (tx) => {
      for (const partition of partitions) await makePartition(writer.session(tx), partition)
    })
    for (const { name } of partitions) made.add(name)
  }
  return Object.freeze({
    async bucketFor(atMs: number) {
      const bucket = weekBucket(atMs)
      const partition = rowsPartition(bucket)
      if (!made.has(partition.name)) await make([partition])
      return bucket
    },
    async ownBucket(tx: StoreTx, jobNo: number, rows: number) {
      if (rows <= ownBucketRows) return null
      const bucket = ownBucket(jobNo)
      await makePartition(writer.session(tx), rowsPartition(bucket))
      return bucket
    },
    async prepare() {
      const missing = await writer.write((tx) => missingPartitions(writer.session(tx)))
      if (missing.length > 0) await make(missing)
    },
  })
}

/** The partitions that should be there by now, and are not. */
async function missingPartitions(session: Session): Promise<readonly Partition[]> {
  const { rows } = await session.query<{ now: number }>(
    'select floor(extract(epoch from clock_timestamp()) * 1000)::int8 as now',
  )
  const now = rows[0]?.now ?? 0
  const months = Array.from({ length: MONTHS_AHEAD + 1 }, (_, ahead) => attemptsPartition(now, ahead))
  const weeks = Array.from({ length: WEEKS_AHEAD + 1 }, (_, ahead) => rowsPartition(weekBucket(now + ahead * WEEK_MS)))
  const known = [...(await listPartitions(session, 'rows')), ...(await listPartitions(session, 'attempts'))]
  const attached = new Set(known.filter(({ place }) => place === 'attached').map(({ name }) => name))
  return [...months, ...weeks].filter(({ name }) => !attached.has(name))
}
