import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { SluiceError } from '../errors.ts'
import type { ColumnTypes } from './migrations/column-types.ts'
import type { StoreMigration } from './migrations/index.ts'
import type { Database } from './schema.ts'

/** How far a database's schema has come, and the lowest level of code that still works with it. */
export interface SchemaLevel {
  readonly level: number
  readonly oldestLevel: number
}

/** What is done about a database's level by code of another one. */
export type LevelVerdict = 'empty' | 'behind' | 'fits'

/**
 * What a database of level `found` is to code with these migrations. Throws SluiceError `store_version` where a newer sluice has taken it so far
 * that this one might misread it; one that is merely newer fits. `name` says which database, in the message.
 */
export function judgeLevel(
  found: SchemaLevel | null,
  migrations: readonly StoreMigration[],
  name: string,
): LevelVerdict {
  if (found === null) return 'empty'
  const own = migrations.length
  if (found.level < own) return 'behind'
  if (found.oldestLevel <= own) return 'fits'
  throw new SluiceError(
    'store_version',
    `${name} was brought to level ${found.level} by a newer sluice; this one is of level ${own}, and ${found.oldestLevel} is the lowest that still works with it`,
  )
}

/** The level of the database; `null`: it is empty. `schema` as in `runMigrations`. */
export async function readLevel(db: Kysely<Database>, schema?: string): Promise<SchemaLevel | null> {
  const tables = await db.introspection.getTables()
  if (!tables.some((table) => table.name === 'schema_level' && table.schema === schema)) return null
  const row = await db.selectFrom('schema_level').selectAll().executeTakeFirst()
  return row === undefined ? null : { level: row.level, oldestLevel: row.oldest_level }
}

/** Throws SluiceError `store_version` where the database, which was fit when it was opened, has been taken too far since. Cheap enough for each second. */
export async function checkLevel(db: Kysely<Database>, migrations: readonly StoreMigration[]): Promise<void> {
  const row = await db.selectFrom('schema_level').selectAll().executeTakeFirstOrThrow()
  judgeLevel({ level: row.level, oldestLevel: row.oldest_level }, migrations, 'the database')
}

/**
 * Runs the migrations that the database lacks, and notes its new level with each. The caller sees to it that nobody else does the same at once:
 * by a transaction on SQLite, by a lock on PostgreSQL. `schema`: where the tables lie, for databases that have several.
 */
export async function runMigrations(
  db: Kysely<Database>,
  migrations: readonly StoreMigration[],
  types: ColumnTypes,
  schema?: string,
): Promise<void> {
  const noted = migrations.map(({ name, oldestLevel, make }, index) => {
    const { up } = make(types)
    const level = { level: index + 1, oldestLevel }
    return [name, { up: (step: Kysely<Database>) => up(step).then(() => noteLevel(step, level, types)) }] as const
  })
  const provider = { getMigrations: async () => Object.fromEntries(noted) }
  const migrator = new Migrator({ db, provider, ...(schema !== undefined && { migrationTableSchema: schema }) })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}

/** The lowest level that still works with the database never falls. */
async function noteLevel(db: Kysely<Database>, { level, oldestLevel }: SchemaLevel, types: ColumnTypes): Promise<void> {
  if (level === 1) {
    await db.schema
      .createTable('schema_level')
      .addColumn('level', types.int64, (column) => column.notNull())
      .addColumn('oldest_level', types.int64, (column) => column.notNull())
      .modifyEnd(types.plain)
      .execute()
    await db.insertInto('schema_level').values({ level, oldest_level: oldestLevel }).execute()
    return
  }
  await db
    .updateTable('schema_level')
    .set({
      level,
      oldest_level: sql`case when oldest_level > ${oldestLevel} then oldest_level else ${oldestLevel} end`,
    })
    .execute()
}
