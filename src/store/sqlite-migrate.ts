import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { SluiceError } from '../errors.ts'
import { SQLITE_TYPES } from './migrations/column-types.ts'
import { migrations } from './migrations/index.ts'
import type { Database } from './schema.ts'

/** Kysely's own table of what was run. */
type MigrationTables = { kysely_migration: { name: string } }

/**
 * Whether the database has all migrations. Throws SluiceError `store_version` when it has one that this version does not know: a newer
 * sluice has been here, and what it wrote might be misread.
 */
export async function isUpToDate(db: Kysely<Database>, path: string): Promise<boolean> {
  const known = Object.keys(migrations(SQLITE_TYPES))
  const run = await runMigrations(db)
  const newer = run.filter((name) => !known.includes(name))
  if (newer.length > 0)
    throw new SluiceError('store_version', `${path} was written by a newer sluice (${newer.join(', ')})`)
  return known.length === run.length
}

/** Brings the schema up to date, inside the caller's transaction: of two processes that start at once, the second finds it done. */
export async function migrate(db: Kysely<Database>, path: string): Promise<void> {
  if (await isUpToDate(db, path)) return
  const provider = { getMigrations: async () => migrations(SQLITE_TYPES) }
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  if (error !== undefined) throw error
}

async function runMigrations(db: Kysely<Database>): Promise<readonly string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some((table) => table.name === 'kysely_migration')) return []
  const rows = await db.withTables<MigrationTables>().selectFrom('kysely_migration').select('name').execute()
  return rows.map((row) => row.name)
}
