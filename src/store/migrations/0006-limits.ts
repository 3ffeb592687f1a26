import type { ColumnDefinitionBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** What the workers on one database know of their accounts' limits, and how far those are used up. */
export function limits(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('limits')
        .addColumn('account', 'text', required)
        .addColumn('kind', 'text', required)
        .addColumn('window_ms', types.int64, required)
        .addColumn('drawn', types.int64, zero)
        .addColumn('paid_to_us', types.int64, zero)
        .addColumn('cost_us', types.int64, zero)
        .addColumn('credit_us', types.int64, zero)
        .addColumn('given', types.int64)
        .addColumn('given_at_ms', types.int64)
        .addColumn('learned', types.int64)
        .addColumn('learned_how', 'text')
        .addColumn('learned_by', 'text')
        .addColumn('learned_at_ms', types.int64)
        .addPrimaryKeyConstraint('limits_pk', ['account', 'kind', 'window_ms'])
        .modifyEnd(types.changing)
        .execute()
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)
