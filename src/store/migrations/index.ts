import type { Migration } from 'kysely/migration'
import { firstTables } from './0001-first-tables.ts'
import type { ColumnTypes } from './column-types.ts'

/** All migrations in order. A name is never changed or taken out once it was released: databases remember what they ran by it. */
export function migrations(types: ColumnTypes): Readonly<Record<string, Migration>> {
  return { '0001_first_tables': firstTables(types) }
}
