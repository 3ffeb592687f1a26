import { type ColumnDefinitionBuilder, type RawBuilder, sql } from 'kysely'

/** The few things in which the two databases' table definitions differ. */
export interface ColumnTypes {
  readonly int64: 'integer' | 'bigint'
  readonly int32: 'integer'
  /** Flags and small counts. */
  readonly int16: 'integer' | 'smallint'
  readonly bytes: 'blob' | 'bytea'
  /** A number of our own that counts up and is never given twice. */
  readonly serial: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
  /** Ends the definition of a table. */
  readonly plain: RawBuilder<unknown>
  /** Ends the definition of a table whose rows lie in the order of the primary key, where the database can do that. */
  readonly clustered: RawBuilder<unknown>
  /** Ends the definition of a table whose rows are changed over and over: where the database asks for it, room is left beside them. */
  readonly changing: RawBuilder<unknown>
  /** Ends the definition of a clustered table that can be dropped bucket by bucket, where the database can do that. */
  readonly byBucket: RawBuilder<unknown>
  /** The same, month by month, by ids that begin with the time. */
  readonly byTime: RawBuilder<unknown>
  /** Makes room for attempts of a month for which there is no partition, where the database has partitions. */
  readonly otherAttempts: readonly RawBuilder<unknown>[]
}

/** Tables that lie in partitions on PostgreSQL, and what each partition is made with: attempts change once, when they end. */
export const PARTITIONED = Object.freeze({ rows: '', attempts: 'with (fillfactor = 60)' })
export type Partitioned = keyof typeof PARTITIONED

/** Strict tables: SQLite then refuses a value of another type, as PostgreSQL does. */
export const SQLITE_TYPES: ColumnTypes = Object.freeze({
  int64: 'integer',
  int32: 'integer',
  int16: 'integer',
  bytes: 'blob',
  serial: (column: ColumnDefinitionBuilder) => column.primaryKey().autoIncrement(),
  plain: sql`strict`,
  clustered: sql`strict, without rowid`,
  changing: sql`strict, without rowid`,
  byBucket: sql`strict, without rowid`,
  byTime: sql`strict, without rowid`,
  otherAttempts: [],
})

export const POSTGRES_TYPES: ColumnTypes = Object.freeze({
  int64: 'bigint',
  int32: 'integer',
  int16: 'smallint',
  bytes: 'bytea',
  serial: (column: ColumnDefinitionBuilder) => column.generatedByDefaultAsIdentity().primaryKey(),
  plain: sql``,
  clustered: sql``,
  changing: sql`with (fillfactor = 50)`,
  byBucket: sql`partition by list (bucket)`,
  byTime: sql`partition by range (id)`,
  otherAttempts: [sql`create table attempts_other partition of attempts default`],
})
