import { type ColumnDefinitionBuilder, type RawBuilder, sql } from 'kysely'

/** The few things in which the two databases' table definitions differ. */
export interface ColumnTypes {
  readonly int64: 'integer' | 'bigint'
  readonly bytes: 'blob' | 'bytea'
  /** A number of our own that counts up and is never given twice. */
  readonly serial: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
  /** Ends the definition of a table. */
  readonly plain: RawBuilder<unknown>
  /** Ends the definition of a table whose rows lie in the order of the primary key, where the database can do that. */
  readonly clustered: RawBuilder<unknown>
}

/** Strict tables: SQLite then refuses a value of another type, as PostgreSQL does. */
export const SQLITE_TYPES: ColumnTypes = Object.freeze({
  int64: 'integer',
  bytes: 'blob',
  serial: (column: ColumnDefinitionBuilder) => column.primaryKey().autoIncrement(),
  plain: sql`strict`,
  clustered: sql`strict, without rowid`,
})
