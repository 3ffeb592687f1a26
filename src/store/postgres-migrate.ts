import { Kysely, PostgresDialect } from 'kysely'
import { SluiceError } from '../errors.ts'
import { judgeLevel, readLevel, runMigrations } from './migrate.ts'
import { POSTGRES_TYPES } from './migrations/column-types.ts'
import { MIGRATIONS, type StoreMigration } from './migrations/index.ts'
import { isConflict } from './postgres-failure.ts'
import { refusal } from './postgres-refusal.ts'
import { kyselyClient, openSession, SCHEMA, type Session } from './postgres-session.ts'
import type { Database } from './schema.ts'

/** Keeps those who set up a database at the same time apart. */
const MIGRATION_LOCK = '8316299033521750'

export interface MigrateOptions {
  /** `postgres://user:password@host/database` */
  readonly url: string
  readonly version?: string
  /** The schema's steps, for tests of older and newer ones. */
  readonly migrations?: readonly StoreMigration[]
}

/**
 * Brings the database's schema to the level of this code, and says how many steps that took; 0: it was there already, or further on. Of many that
 * call at once one does the work, and the others wait for it. Rejects with SluiceError `store_version` where the database is too far ahead,
 * `storage` where it cannot be reached.
 */
export async function migratePostgres({
  url,
  version = 'unversioned',
  migrations = MIGRATIONS,
}: MigrateOptions): Promise<number> {
  // Steps may go over large tables, and wait for whoever uses them.
  const session = await openSession({ url, version, statementMs: 0, settings: { lock_timeout: '0' } }).catch(refused)
  try {
    const db = databaseOver(session)
    await session.query(`select pg_advisory_lock(${MIGRATION_LOCK})`)
    const before = await readLevel(db, SCHEMA)
    if (judgeLevel(before, migrations, DATABASE) === 'fits') return 0
    await assertUsable(session)
    await besideOthers(() => runMigrations(db, migrations, POSTGRES_TYPES, SCHEMA))
    return migrations.length - (before?.level ?? 0)
  } catch (error) {
    throw refusal(error)
  } finally {
    await session.end()
  }
}

/** A step changes tables one after the other that workers lock in another order: whoever of them meets a deadlock begins anew. */
async function besideOthers(migrate: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await migrate()
    } catch (error) {
      if (!isConflict(error) || tries >= TRIES) throw error
    }
  }
}

const TRIES = 20

const DATABASE = 'the database'

/**
 * Sets an empty database up. Rejects with SluiceError `store_version` where it is of a level that this code does not work with: too far ahead, or
 * behind, since others may be working on it who would be cut off by the step.
 */
export async function ensureSchema(db: Kysely<Database>, options: MigrateOptions): Promise<void> {
  const found = await readLevel(db, SCHEMA).catch(refused)
  const verdict = judgeLevel(found, options.migrations ?? MIGRATIONS, DATABASE)
  if (verdict === 'empty') await migratePostgres(options)
  else if (verdict === 'behind') throw behind()
}

function behind(): SluiceError {
  return new SluiceError('store_version', 'the database was set up by an older sluice', {
    hint: 'Bring it up to date with `sluice migrate`.',
  })
}

/** Kysely over one connection. */
function databaseOver(session: Session): Kysely<Database> {
  const client = kyselyClient(
    () => session,
    () => undefined,
  )
  return new Kysely<Database>({
    dialect: new PostgresDialect({ pool: { options: {}, connect: async () => client, end: async () => undefined } }),
  })
}

async function assertUsable(session: Session): Promise<void> {
  const { rows } = await session.query<{ version: number; encoding: string }>(
    `select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding`,
  )
  const [server] = rows
  if (server === undefined) return
  if (server.version < OLDEST_SERVER)
    throw new SluiceError('storage', `the database server is PostgreSQL ${Math.floor(server.version / 10_000)}`, {
      hint: `It takes ${OLDEST_SERVER / 10_000} or newer.`,
    })
  if (server.encoding !== 'UTF8')
    throw new SluiceError('storage', `the database is encoded in ${server.encoding}`, {
      hint: 'Make it with `encoding UTF8`.',
    })
}

const OLDEST_SERVER = 140_000

function refused(error: unknown): never {
  throw refusal(error)
}
