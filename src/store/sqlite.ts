import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { Kysely } from 'kysely'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Runtime } from '../runtime.ts'
import { answersRole } from './answers.ts'
import { attemptsRole } from './attempts.ts'
import { BALLAST_BYTES, ballastAt } from './ballast.ts'
import { chunksRole } from './chunks.ts'
import type { StoreDatabase } from './database.ts'
import { eventsRole } from './events.ts'
import { jobsRole } from './jobs.ts'
import { nodeSqliteDialect } from './node-sqlite-dialect.ts'
import { rowsRole } from './rows.ts'
import type { Database } from './schema.ts'
import { specsRole } from './specs.ts'
import { isUpToDate, migrate } from './sqlite-migrate.ts'
import { openReadHandle, openWriteHandle } from './sqlite-open.ts'
import { sqliteRecord } from './sqlite-record.ts'
import { type SqliteWriter, sqliteWriter } from './sqlite-writer.ts'
import type { Store } from './store.ts'

/** Bytes written by a probe: about as much as a group of rows takes. */
const PROBE_BYTES = 64 * 1024

export interface SqliteStoreOptions {
  /** The database file; its directory is created, and holds the ballast file too. */
  readonly path: string
  readonly runtime: Runtime
  /** The version of sluice, noted on the jobs it creates. @default 'unversioned' */
  readonly version?: string
  /** How long a transaction waits for another process before it fails as `busy`. @default 10_000 */
  readonly busyMs?: number
  /** Room set aside for the last commits on a full disk. @default 4 MiB */
  readonly ballastBytes?: number
}

/** The store on one machine. The embedded queue keeps its messages in the same database, and changes them in the store's transactions. */
export interface SqliteStore extends Store, Pick<StoreDatabase, 'reader' | 'handle'> {}

/**
 * Opens the store in a SQLite file, creating or migrating it. Any number of processes on one machine may have it open (never over a network
 * file system). Rejects with SluiceError `storage` where the file cannot be used, `store_version` where a newer sluice has written it.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { path, runtime, version = 'unversioned', busyMs = 10_000, ballastBytes = BALLAST_BYTES } = options
  const handle = await openWriteHandle(path, runtime, busyMs)
  const writer = sqliteWriter(handle, runtime, busyMs)
  const writing = new Kysely<Database>({ dialect: nodeSqliteDialect(handle) })
  try {
    if (!(await isUpToDate(writing, path))) await writer.write(() => migrate(writing, path))
    const readHandle = openReadHandle(path)
    const reader = new Kysely<Database>({ dialect: nodeSqliteDialect(readHandle) })
    const ballast = ballastAt(join(dirname(path), 'ballast'), ballastBytes)
    await ballast.restore()
    const record = sqliteRecord(handle)
    const database: StoreDatabase = Object.freeze({
      reader,
      handle(tx: StoreTx) {
        writer.assertOpen(tx)
        return writing
      },
      write: writer.write,
      bucketFor: () => 0,
      async insertOutcomes(tx, chunk, outcomes) {
        writer.assertOpen(tx)
        record.insertOutcomes(chunk, outcomes)
      },
    } satisfies StoreDatabase)
    return Object.freeze({
      jobs: jobsRole(database, version),
      chunks: chunksRole(database, runtime.now),
      rows: rowsRole(database, async (tx, group) => {
        writer.assertOpen(tx)
        return record.record(group)
      }),
      attempts: attemptsRole(database),
      answers: answersRole(database),
      events: eventsRole(database),
      specs: specsRole(database),
      reader,
      handle: database.handle,
      write: writer.write,
      freeBallast: ballast.free,
      restoreBallast: ballast.restore,
      probe: () => probe(handle, writer),
      async close() {
        await writer.settled()
        if (readHandle.isOpen) readHandle.close()
        if (handle.isOpen) handle.close()
      },
    } satisfies SqliteStore)
  } catch (error) {
    handle.close()
    throw error
  }
}

/** Writes about as much as a group of rows does, over what the last probe wrote. */
async function probe(handle: DatabaseSync, writer: SqliteWriter): Promise<boolean> {
  try {
    await writer.write(async () => handle.exec(`replace into probe values (1, randomblob(${PROBE_BYTES}))`))
    return true
  } catch (error) {
    if (error instanceof StorageFailure) return false
    throw error
  }
}
