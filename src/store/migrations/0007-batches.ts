import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** What is out in batches of providers, and what of budgets is held for it. */
export function batches(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createParts(db, types)
      await createShards(db, types)
      await createHoldings(db, types)
      // Chunks that nobody holds: parked ones may be most of a job, and then few are ready.
      for (const state of ['ready', 'parked'])
        await sql`create index ${sql.ref(`chunks_${state}`)} on chunks (job_no, chunk_no) where state = ${sql.lit(state)}`.execute(
          db,
        )
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()

async function createParts(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('batch_kinds')
    .addColumn('kind_key', 'text', (column) => column.notNull().primaryKey())
    .addColumn('kind', 'text', required)
    .modifyEnd(types.clustered)
    .execute()
  await db.schema
    .createTable('batch_parts')
    .addColumn('part_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('job_no', types.int64, required)
    .addColumn('chunk_no', types.int32, required)
    .addColumn('round', types.int32, required)
    .addColumn('tenant_no', types.int64, required)
    .addColumn('kind_key', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('shard_id', 'text')
    .addColumn('place', types.int32)
    .addColumn('row_list', 'text', required)
    .addColumn('requests', types.int64, required)
    .addColumn('bytes', types.int64, required)
    .addColumn('input_tokens', types.int64, required)
    .addColumn('worst_nano', types.int64, required)
    .addColumn('worst_tokens', types.int64, required)
    .addColumn('requests_key', 'text', required)
    .addColumn('results_key', 'text')
    .addColumn('results_offset', types.int64)
    .addColumn('results_length', types.int64)
    .addColumn('failure', 'text')
    .addColumn('packed_at_ms', types.int64, required)
    .modifyEnd(types.changing)
    .execute()
  // One index for chunks and jobs alike: of two that begin with the job PostgreSQL may take the wrong one, and go over a job's parts for each chunk.
  await sql`create index batch_parts_of_chunk on batch_parts (job_no, chunk_no, state, shard_id, requests)`.execute(db)
  await sql`create index batch_parts_of_shard on batch_parts (shard_id, place, job_no) where shard_id is not null`.execute(
    db,
  )
  await sql`create index batch_parts_packed on batch_parts (tenant_no, kind_key, packed_at_ms, part_id) where state = 'packed'`.execute(
    db,
  )
}

async function createShards(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('batch_shards')
    .addColumn('shard_id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('tenant_no', types.int64, required)
    .addColumn('kind_key', 'text', required)
    .addColumn('account', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('version', types.int64, required)
    .addColumn('requests', types.int64, required)
    .addColumn('bytes', types.int64, required)
    .addColumn('input_tokens', types.int64, required)
    .addColumn('worst_nano', types.int64, required)
    .addColumn('worst_tokens', types.int64, required)
    .addColumn('hash', 'text', required)
    .addColumn('file_id', 'text')
    .addColumn('batch_id', 'text')
    .addColumn('guessed', types.int16, (column) => column.notNull().defaultTo(0))
    .addColumn('not_batch_ids', 'text', (column) => column.notNull().defaultTo('[]'))
    .addColumn('said', 'text')
    .addColumn('planned_at_ms', types.int64, required)
    .addColumn('intent_at_ms', types.int64)
    .addColumn('submitter', 'text')
    .addColumn('submitted_at_ms', types.int64)
    .addColumn('heard_at_ms', types.int64)
    .addColumn('next_look_ms', types.int64, required)
    .addColumn('ended_at_ms', types.int64)
    .addColumn('cancel_wanted_ms', types.int64)
    .addColumn('note', 'text')
    .modifyEnd(types.changing)
    .execute()
  await sql`create index batch_shards_looked_at on batch_shards (state, next_look_ms)`.execute(db)
  await sql`create index batch_shards_ended on batch_shards (account, ended_at_ms) where ended_at_ms is not null`.execute(
    db,
  )
  await sql`create index batch_shards_named on batch_shards (batch_id) where batch_id is not null`.execute(db)
}

async function createHoldings(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('budget_holdings')
    .addColumn('job_no', types.int64, required)
    .addColumn('part_id', 'text', required)
    .addColumn('left_nano', types.int64, required)
    .addColumn('left_tokens', types.int64, required)
    .addColumn('day', types.int32)
    .addPrimaryKeyConstraint('budget_holdings_pk', ['job_no', 'part_id'])
    .modifyEnd(types.changing)
    .execute()
}
