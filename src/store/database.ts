import type { Kysely, RawBuilder } from 'kysely'
import type { ChunkRef } from '../domain/chunk.ts'
import type { Outcome } from '../domain/row.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { AnswerSource } from './role/answers.ts'
import type { Database } from './schema.ts'

/**
 * What the store's roles need of a database; all of them are written over this, once for SQLite and PostgreSQL. What the two do differently
 * lies in one file each (`sqlite.ts`), and in the writing of rows and attempts, where every microsecond is paid a million times.
 */
export interface StoreDatabase {
  /** Reads outside of transactions; it sees the latest commit, of any process. */
  readonly reader: Kysely<Database>
  /** The database inside `tx`. Throws when `tx` has ended. */
  handle(tx: StoreTx): Kysely<Database>
  /**
   * One transaction on the process's one write connection. Where the database asks for it (a deadlock, a failed serialization), `work` runs again
   * from its start: it must have no effect outside of `tx`.
   */
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  /**
   * Runs one statement that changes something outside of `write` and its turns, where the database lets it: nobody waits for it, and a crash of the
   * database server may undo it.
   */
  aside<T>(statement: (db: Kysely<Database>) => Promise<T>): Promise<T>
  /**
   * Keeps others from the job until `tx` ends: `exclusive` from everybody who locks it, `shared` from those who want it for themselves. Whoever
   * locks a job does so first, before any of its rows.
   */
  lockJob(tx: StoreTx, jobNo: number, mode: 'shared' | 'exclusive'): Promise<void>
  /** Keeps others from changing these chunks until `tx` ends. Several are locked in the order in which everybody locks them. */
  lockChunks(tx: StoreTx, refs: readonly ChunkRef[]): Promise<void>
  /** The database's own time as part of a query, in UTC milliseconds: the clock that all its workers share. */
  clock(): RawBuilder<number>
  /** Since when the database has been up, by its own clock: nobody could be heard of before. 0 where there is no server that goes down. */
  upSince(): RawBuilder<number>
  /** Where the rows of a job will lie that is created at `atMs`; makes the place where it is missing. Outside of any transaction. */
  bucketFor(atMs: number): Promise<number>
  /** Where the rows of a job of this size lie instead, once its size is known: made by this. `null`: they stay where they are. */
  ownBucket(tx: StoreTx, jobNo: number, rows: number): Promise<number | null>
  /** Inserts outcomes of one chunk, which must have none for these rows. */
  insertOutcomes(tx: StoreTx, chunk: RowsOfChunk, outcomes: readonly Outcome[]): Promise<void>
  /** Puts rows under keys as the sources of answers; returns those for which nobody came first. */
  takeAnswers<T extends AnswerTake>(tx: StoreTx, takes: readonly T[]): Promise<readonly T[]>
}

/** A key of `answers` that is taken by a row from whoever was seen to have it, `null` being nobody. */
export interface AnswerTake {
  readonly key: Uint8Array
  readonly by: AnswerSource
  readonly seen: AnswerSource | null
}

/** Names the place of a chunk's outcomes. */
export interface RowsOfChunk {
  readonly bucket: number
  readonly jobNo: number
  readonly chunkNo: number
}

/** How many values one statement may carry: the lower of the two databases' limits is 32,766 (SQLite). */
const VALUES_PER_STATEMENT = 30_000

/** Cuts `items`, each of which takes `valuesEach` values, into as few statements as the databases allow. */
export function inStatements<T>(items: readonly T[], valuesEach: number): readonly (readonly T[])[] {
  const size = Math.max(1, Math.floor(VALUES_PER_STATEMENT / valuesEach))
  const parts: (readonly T[])[] = []
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size))
  return parts
}
