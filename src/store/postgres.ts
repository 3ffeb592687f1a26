import { sql } from 'kysely'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Runtime } from '../runtime.ts'
import type { StoreDatabase } from './database.ts'
import { MIGRATIONS, type StoreMigration } from './migrations/index.ts'
import { takeAnswers } from './postgres-answers.ts'
import { ensureSchema } from './postgres-migrate.ts'
import { postgresPlaces } from './postgres-places.ts'
import { postgresReader } from './postgres-reader.ts'
import { insertOutcomes, lockChunks, recordGroup } from './postgres-record.ts'
import { refusal } from './postgres-refusal.ts'
import { postgresUpkeep } from './postgres-upkeep.ts'
import { postgresWriter } from './postgres-writer.ts'
import { storeRoles } from './roles.ts'
import type { Store } from './store.ts'

export interface PostgresStoreOptions {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  readonly url: string
  readonly runtime: Runtime
  /** The version of sluice, noted on the jobs it creates, and by which the server names its connections. @default 'unversioned' */
  readonly version?: string
  /** The schema's steps, for tests of older and newer ones. */
  readonly migrations?: readonly StoreMigration[]
  /** Jobs of more rows than this get a partition to themselves. @default 1_000_000 */
  readonly ownBucketRows?: number
}

const OWN_BUCKET_ROWS = 1_000_000

/** Heartbeats and draws on shared limits: none waits for a commit of this process, for what it reads, or for the other of the two. */
const ASIDE_CONNECTIONS = 2

/** A statement of theirs that takes longer has missed its time. What little it writes may be lost with its server: nobody waits for its disk. */
const ASIDE = Object.freeze({ statementMs: 4_000, settings: Object.freeze({ synchronous_commit: 'off' }) })

/** The store of many machines. The queue keeps its messages in the same database, and changes them in the store's transactions. */
export interface PostgresStore extends Store, Pick<StoreDatabase, 'reader' | 'handle' | 'aside'> {}

/** Marks our advisory locks on jobs, among those of others in the database. */
const JOB_LOCKS = 0x736cn << 48n

/**
 * Opens the store in a PostgreSQL database (14 or newer), and sets it up where it is empty. Any number of processes on any machines may have it
 * open. When the database goes away and comes back, so does the store: what is asked of it meanwhile fails as `StorageFailure`. Rejects with
 * SluiceError `storage` where the database cannot be used, `store_version` where its schema and this version do not fit together.
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const { runtime } = options
  const session = { url: options.url, version: options.version ?? 'unversioned' }
  const reader = postgresReader(session)
  const aside = postgresReader({ ...session, ...ASIDE }, ASIDE_CONNECTIONS)
  const writer = postgresWriter(session, runtime)
  const places = postgresPlaces(writer, options.ownBucketRows ?? OWN_BUCKET_ROWS)
  try {
    await ensureSchema(reader.db, options)
    await places.prepare()
  } catch (error) {
    await writer.close()
    await reader.close()
    throw refusal(error)
  }
  const database: StoreDatabase = Object.freeze({
    reader: reader.db,
    handle: writer.handle,
    write: writer.write,
    aside: (statement) => statement(aside.db),
    async lockJob(tx: StoreTx, jobNo: number, mode: 'shared' | 'exclusive') {
      const lock = mode === 'shared' ? 'pg_advisory_xact_lock_shared' : 'pg_advisory_xact_lock'
      await writer.session(tx).query(`select ${lock}($1::int8)`, [String(JOB_LOCKS | BigInt(jobNo))], mode)
    },
    lockChunks: (tx, refs) => lockChunks(writer.session(tx), refs),
    clock: () => sql<number>`floor(extract(epoch from clock_timestamp()) * 1000)::int8`,
    upSince: () => sql<number>`floor(extract(epoch from pg_postmaster_start_time()) * 1000)::int8`,
    bucketFor: places.bucketFor,
    ownBucket: places.ownBucket,
    insertOutcomes: (tx, chunk, outcomes) => insertOutcomes(writer.session(tx), chunk, outcomes),
    takeAnswers: (tx, takes) => takeAnswers(writer.session(tx), takes),
  } satisfies StoreDatabase)
  return Object.freeze({
    aside: database.aside,
    ...storeRoles({
      database,
      record: async (tx, group) => recordGroup(writer.session(tx), group),
      now: runtime.now,
      version: session.version,
      migrations: options.migrations ?? MIGRATIONS,
    }),
    upkeep: postgresUpkeep({ database, places, session, runtime }),
    // The server's disk is not ours to keep room on.
    freeBallast: async () => undefined,
    restoreBallast: async () => undefined,
    async close() {
      await writer.close()
      await aside.close()
      await reader.close()
    },
  } satisfies PostgresStore)
}
