import type { Kysely } from 'kysely'
import { judgeLevel, readLevel, runMigrations } from './migrate.ts'
import { SQLITE_TYPES } from './migrations/column-types.ts'
import type { StoreMigration } from './migrations/index.ts'
import type { Database } from './schema.ts'

/**
 * Whether the database has all migrations. Throws SluiceError `store_version` when a newer sluice has taken it so far that this one might misread
 * it.
 */
export async function isUpToDate(
  db: Kysely<Database>,
  path: string,
  migrations: readonly StoreMigration[],
): Promise<boolean> {
  return judgeLevel(await readLevel(db), migrations, path) === 'fits'
}

/** Brings the schema up to date, inside the caller's transaction: of two processes that start at once, the second finds it done. */
export async function migrate(
  db: Kysely<Database>,
  path: string,
  migrations: readonly StoreMigration[],
): Promise<void> {
  if (await isUpToDate(db, path, migrations)) return
  await runMigrations(db, migrations, SQLITE_TYPES)
}
