import { dirname, join } from 'node:path'
import { Kysely, sql } from 'kysely'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Runtime } from '../runtime.ts'
import { BALLAST_BYTES, ballastAt } from './ballast.ts'
import type { StoreDatabase } from './database.ts'
import { MIGRATIONS, type StoreMigration } from './migrations/index.ts'
import { nodeSqliteDialect } from './node-sqlite-dialect.ts'
import type { Rows } from './role/rows.ts'
import { storeRoles } from './roles.ts'
import type { Database } from './schema.ts'
import { sqliteAnswers } from './sqlite-answers.ts'
import { isUpToDate, migrate } from './sqlite-migrate.ts'
import { openReadHandle, openWriteHandle } from './sqlite-open.ts'
import { sqliteRecord } from './sqlite-record.ts'
import { sqliteUpkeep } from './sqlite-upkeep.ts'
import { sqliteWriter } from './sqlite-writer.ts'
import type { Store } from './store.ts'

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
  /** The schema's steps, for tests of older and newer ones. */
  readonly migrations?: readonly StoreMigration[]
}

/** The store on one machine. The embedded queue keeps its messages in the same database, and changes them in the store's transactions. */
export interface SqliteStore extends Store, Pick<StoreDatabase, 'reader' | 'handle'> {}

/**
 * Opens the store in a SQLite file, creating or migrating it. Any number of processes on one machine may have it open (never over a network
 * file system). Rejects with SluiceError `storage` where the file cannot be used, `store_version` where a newer sluice has written it.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { path, runtime, version = 'unversioned', busyMs = 10_000, ballastBytes = BALLAST_BYTES } = options
  const { migrations = MIGRATIONS } = options
  const handle = await openWriteHandle(path, runtime, busyMs)
  const writer = sqliteWriter(handle, runtime, busyMs)
  const writing = new Kysely<Database>({ dialect: nodeSqliteDialect(handle) })
  try {
    if (!(await isUpToDate(writing, path, migrations))) await writer.write(() => migrate(writing, path, migrations))
    const readHandle = openReadHandle(path)
    const reader = new Kysely<Database>({ dialect: nodeSqliteDialect(readHandle) })
    const ballast = ballastAt(join(dirname(path), 'ballast'), ballastBytes)
    await ballast.restore()
    const record = sqliteRecord(handle)
    const takeAnswers = sqliteAnswers(handle)
    const database: StoreDatabase = Object.freeze({
      reader,
      handle(tx: StoreTx) {
        writer.assertOpen(tx)
        return writing
      },
      write: writer.write,
      aside: (statement) => writer.write(() => statement(writing)),
      // Transactions are serial: whoever is inside one has all jobs and chunks to itself.
      lockJob: async () => undefined,
      lockChunks: async () => undefined,
      clock: () => sql<number>`${runtime.now()}`,
      upSince: () => sql<number>`0`,
      bucketFor: async () => 0,
      ownBucket: async () => null,
      async insertOutcomes(tx, chunk, outcomes) {
        writer.assertOpen(tx)
        record.insertOutcomes(chunk, outcomes)
      },
      async takeAnswers(tx, takes) {
        writer.assertOpen(tx)
        return takeAnswers(takes)
      },
    } satisfies StoreDatabase)
    const recordGroup: Rows['record'] = async (tx, group) => {
      writer.assertOpen(tx)
      return record.record(group)
    }
    return Object.freeze({
      ...storeRoles({ database, record: recordGroup, now: runtime.now, version, migrations }),
      upkeep: sqliteUpkeep(database, runtime.now),
      freeBallast: ballast.free,
      restoreBallast: ballast.restore,
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
