import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** Workers, the roles that one of them has at a time, and since when a chunk is held. */
export function fleet(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createWorkers(db, types)
      await createRoles(db, types)
      await db.schema.alterTable('chunks').addColumn('leased_at_ms', types.int64).execute()
      await sql`create index jobs_active on jobs (job_no) where state in ('queued', 'running', 'finalizing')`.execute(
        db,
      )
      await sql`create index jobs_wished on jobs (job_no) where wanted is not null`.execute(db)
      await addWindow(db, types)
      await addMessageTurns(db, types)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()

async function createWorkers(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('workers')
    .addColumn('worker_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('host', 'text', required)
    .addColumn('pid', types.int64, required)
    .addColumn('version', 'text', required)
    .addColumn('job_no', types.int64)
    .addColumn('chunks', types.int64, required)
    .addColumn('concurrency', types.int64)
    .addColumn('wanted_concurrency', types.int64)
    .addColumn('started_at_ms', types.int64, required)
    .addColumn('seen_at_ms', types.int64, required)
    .modifyEnd(types.plain)
    .execute()
}

async function createRoles(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('roles')
    .addColumn('role', 'text', (column) => column.notNull().primaryKey())
    .addColumn('worker_id', 'text', required)
    .addColumn('since_ms', types.int64, required)
    .addColumn('until_ms', types.int64, required)
    .modifyEnd(types.plain)
    .execute()
}

/** How far a job's chunks have come into the queue, and how many of a tenant's may be held at a time. */
async function addWindow(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .alterTable('jobs')
    .addColumn('queued_to', types.int64, (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('tenants').addColumn('max_chunks', types.int64).execute()
}

/** The embedded queue serves its jobs by turns. */
async function addMessageTurns(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .alterTable('messages')
    .addColumn('turn', types.int64, (column) => column.notNull().defaultTo(0))
    .execute()
  await db.schema.alterTable('messages').addColumn('held_since_ms', types.int64).execute()
  await sql`drop index messages_waiting`.execute(db)
  await sql`create index messages_waiting on messages (priority, turn, message_no) where worker is null`.execute(db)
  await sql`drop index messages_of_job`.execute(db)
  await sql`create index messages_of_job on messages (job_no, priority, turn, message_no)`.execute(db)
}
