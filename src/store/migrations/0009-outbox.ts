import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** What jobs have to tell, until somebody has heard it, and addresses that want to hear no more. */
export function outbox(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('outbox')
        .addColumn('message_id', 'text', (column) => column.notNull().primaryKey())
        .addColumn('tenant_no', types.int64, required)
        .addColumn('job_no', types.int64, required)
        .addColumn('event_seq', types.int64, required)
        .addColumn('target_no', types.int32, required)
        .addColumn('target', 'text', required)
        .addColumn('type', 'text', required)
        .addColumn('body', 'text', required)
        .addColumn('state', 'text', required)
        .addColumn('attempts', types.int32, required)
        .addColumn('created_at_ms', types.int64, required)
        .addColumn('next_at_ms', types.int64)
        .addColumn('ended_at_ms', types.int64)
        .addColumn('note', 'text')
        .addColumn('replayed_at_ms', types.int64)
        .modifyEnd(types.changing)
        .execute()
      await sql`create unique index outbox_once on outbox (job_no, event_seq, target_no)`.execute(db)
      await sql`create index outbox_due on outbox (next_at_ms) where state = 'due'`.execute(db)
      await sql`create index outbox_of_tenant on outbox (tenant_no, message_id)`.execute(db)
      await db.schema
        .createTable('outbox_gone')
        .addColumn('tenant_no', types.int64, required)
        .addColumn('address_hash', 'text', required)
        .addColumn('gone_at_ms', types.int64, required)
        .addPrimaryKeyConstraint('outbox_gone_pk', ['tenant_no', 'address_hash'])
        .modifyEnd(types.clustered)
        .execute()
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
