import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** Shares of tenants: their line before the queue, what its messages have cost them, and jobs that wait since their tenant runs enough. */
export function shares(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('tenant_turns')
        .addColumn('tenant_no', types.int64, (column) => column.notNull().primaryKey())
        .addColumn('had', types.int64, required)
        .addColumn('began', types.int64, required)
        .addColumn('typical', types.int64)
        .modifyEnd(types.changing)
        .execute()
      await db.schema
        .createTable('tenant_charges')
        .addColumn('charge_no', types.int64, types.serial)
        .addColumn('tenant_no', types.int64, required)
        .addColumn('charged', types.int64, required)
        .addColumn('tokens', types.int64, required)
        .addColumn('whole', types.int16, required)
        .modifyEnd(types.plain)
        .execute()
      for (const column of ['charged', 'level'])
        await db.schema.alterTable('messages').addColumn(column, types.int64, zero).execute()
      await sql`drop index messages_waiting`.execute(db)
      await sql`create index messages_waiting on messages (tenant_no, priority, turn, message_no) where worker is null`.execute(
        db,
      )
      await sql`create index messages_ends on messages (message_no) where worker is null and priority = -1`.execute(db)
      await db.schema.alterTable('jobs').addColumn('waits', types.int16).execute()
      await sql`create index jobs_waiting on jobs (tenant_no, waits, job_no) where waits is not null`.execute(db)
      await sql`create index jobs_at_work on jobs (tenant_no, state) where state in ('queued', 'running', 'finalizing')`.execute(
        db,
      )
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)
