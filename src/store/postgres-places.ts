import type { StoreTx } from '../domain/store-tx.ts'
import {
  attemptsPartition,
  makePartition,
  ownBucket,
  type Partition,
  rowsPartition,
  weekBucket,
} from './postgres-partitions.ts'
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
  /** Makes the partitions of the time around `atMs`. */
  prepare(atMs: number): Promise<void>
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
    prepare(atMs: number) {
      const months = Array.from({ length: MONTHS_AHEAD + 1 }, (_, ahead) => attemptsPartition(atMs, ahead))
      const weeks = Array.from({ length: WEEKS_AHEAD + 1 }, (_, ahead) =>
        rowsPartition(weekBucket(atMs + ahead * WEEK_MS)),
      )
      return make([...months, ...weeks])
    },
  })
}
