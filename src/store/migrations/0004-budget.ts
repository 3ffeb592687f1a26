import type { ColumnDefinitionBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** Budgets: what workers have drawn from them, what may be used of them, and the limit of a tenant's day. */
export function budget(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('budget_grants')
        .addColumn('job_no', types.int64, required)
        .addColumn('worker_id', 'text', required)
        .addColumn('left_nano', types.int64, required)
        .addColumn('left_tokens', types.int64, required)
        .addColumn('doubt_nano', types.int64, zero)
        .addColumn('doubt_tokens', types.int64, zero)
        .addColumn('day', types.int32, required)
        .addPrimaryKeyConstraint('budget_grants_pk', ['job_no', 'worker_id'])
        .modifyEnd(types.changing)
        .execute()
      await db.schema
        .createTable('tenant_days')
        .addColumn('tenant_no', types.int64, required)
        .addColumn('day', types.int32, required)
        .addColumn('drawn_nano', types.int64, required)
        .addPrimaryKeyConstraint('tenant_days_pk', ['tenant_no', 'day'])
        .modifyEnd(types.changing)
        .execute()
      await db.schema.alterTable('tenants').addColumn('day_nano', types.int64).execute()
      for (const column of ['budget_nano', 'budget_tokens', 'stopped_at_nano', 'stopped_at_tokens'])
        await db.schema.alterTable('jobs').addColumn(column, types.int64).execute()
      for (const column of ['doubt_nano', 'doubt_tokens'])
        await db.schema.alterTable('jobs').addColumn(column, types.int64, zero).execute()
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)
