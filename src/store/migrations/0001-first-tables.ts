import { type ColumnDefinitionBuilder, type CreateTableBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** The tables of the first release, and the default tenant. */
export function firstTables(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await createTenants(db, types)
      await createJobs(db, types)
      await createHistory(db, types)
      await createManifest(db, types)
      await createRows(db, types)
      await createLedger(db, types)
      await createAnswers(db, types)
      await createMessages(db, types)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)

const COUNTERS = [
  'succeeded',
  'failed',
  'skipped',
  'cancelled',
  'cached',
  'retried',
  'fallback',
  'attempts',
  'input_tokens',
  'cached_tokens',
  'output_tokens',
  'cost_nano',
  'unpriced',
] as const

function withCounters<T extends string, C extends string>(table: CreateTableBuilder<T, C>, types: ColumnTypes) {
  let result: CreateTableBuilder<T, C | (typeof COUNTERS)[number]> = table
  for (const name of COUNTERS) result = result.addColumn(name, types.int64, zero)
  return result
}

async function createTenants(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('tenants')
    .addColumn('tenant_no', types.int64, (column) => column.notNull().primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .modifyEnd(types.plain)
    .execute()
  await sql`insert into tenants (tenant_no, name) values (1, 'default')`.execute(db)
  await db.schema
    .createTable('specs')
    .addColumn('tenant_no', types.int64, (column) => column.notNull().references('tenants.tenant_no'))
    .addColumn('hash', 'text', required)
    .addColumn('name', 'text', required)
    .addColumn('canonical_json', 'text', required)
    .addColumn('created_at_ms', types.int64, required)
    .addPrimaryKeyConstraint('specs_pk', ['tenant_no', 'hash'])
    .modifyEnd(types.plain)
    .execute()
}

async function createJobs(db: Kysely<unknown>, types: ColumnTypes) {
  const jobs = db.schema
    .createTable('jobs')
    .addColumn('job_no', types.int64, types.serial)
    .addColumn('id', 'text', (column) => column.notNull().unique())
    .addColumn('tenant_no', types.int64, (column) => column.notNull().references('tenants.tenant_no'))
    .addColumn('bucket', types.int64, required)
    .addColumn('spec_name', 'text', required)
    .addColumn('spec_hash', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('reason', 'text')
    .addColumn('detail', 'text')
    .addColumn('wanted', 'text')
    .addColumn('wanted_reason', 'text')
    .addColumn('wanted_detail', 'text')
    .addColumn('trigger', 'text', required)
    .addColumn('trigger_ref', 'text')
    .addColumn('job_key', 'text')
    .addColumn('round', types.int32, zero)
    .addColumn('rows_total', types.int64, zero)
    .addColumn('chunks_total', types.int64, zero)
    .addColumn('open_chunks', types.int64, zero)
    .addColumn('concurrency', types.int64)
    .addColumn('priority', 'text')
    .addColumn('input_hash', 'text')
    .addColumn('input', 'text')
    .addColumn('created_at_ms', types.int64, required)
    .addColumn('started_at_ms', types.int64)
    .addColumn('ended_at_ms', types.int64)
    .addColumn('active_ms', types.int64, zero)
    .addColumn('active_since_ms', types.int64)
    .addColumn('version', 'text', required)
    .addColumn('submission', 'text', required)
    .addColumn('segments', types.int64, zero)
    .addColumn('unreadable', types.int64, zero)
    .addColumn('intake_position', 'text')
    .addColumn('manifest_closed', types.int16, zero)
    .addColumn('done_seq', types.int64, zero)
    .addColumn('event_seq', types.int64, zero)
    .addColumn('dropped_at_ms', types.int64)
  await withCounters(jobs, types).modifyEnd(types.plain).execute()
  await db.schema.createIndex('jobs_key').unique().on('jobs').columns(['tenant_no', 'job_key']).execute()
  await db.schema.createIndex('jobs_newest').on('jobs').columns(['tenant_no', 'job_no']).execute()
}

async function createHistory(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('rounds')
    .addColumn('job_no', types.int64, (column) => column.notNull().references('jobs.job_no'))
    .addColumn('round', types.int32, required)
    .addColumn('spec_hash', 'text', required)
    .addColumn('selection', 'text', required)
    .addColumn('created_at_ms', types.int64, required)
    .addPrimaryKeyConstraint('rounds_pk', ['job_no', 'round'])
    .modifyEnd(types.clustered)
    .execute()
  await db.schema
    .createTable('events')
    .addColumn('job_no', types.int64, (column) => column.notNull().references('jobs.job_no'))
    .addColumn('seq', types.int64, required)
    .addColumn('at_ms', types.int64, required)
    .addColumn('type', 'text', required)
    .addColumn('data', 'text', required)
    .addPrimaryKeyConstraint('events_pk', ['job_no', 'seq'])
    .modifyEnd(types.clustered)
    .execute()
}

async function createManifest(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('segments')
    .addColumn('job_no', types.int64, (column) => column.notNull().references('jobs.job_no'))
    .addColumn('segment_no', types.int32, required)
    .addColumn('blob_key', 'text', required)
    .addColumn('bytes', types.int64, required)
    .addColumn('sha256', types.bytes, required)
    .addPrimaryKeyConstraint('segments_pk', ['job_no', 'segment_no'])
    .modifyEnd(types.clustered)
    .execute()
  const chunks = db.schema
    .createTable('chunks')
    .addColumn('job_no', types.int64, required)
    .addColumn('chunk_no', types.int32, required)
    .addColumn('segment_no', types.int32, required)
    .addColumn('byte_offset', types.int64, required)
    .addColumn('byte_length', types.int64, required)
    .addColumn('sha256', types.bytes, required)
    .addColumn('first_row', types.int64, required)
    .addColumn('rows', types.int32, required)
    .addColumn('state', 'text', (column) => column.notNull().defaultTo('ready'))
    .addColumn('epoch', types.int32, zero)
    .addColumn('owner', 'text')
    .addColumn('deaths', types.int32, zero)
    .addColumn('round', types.int32, zero)
    .addColumn('done_no', types.int32)
    .addColumn('counting', types.int16, zero)
    .addPrimaryKeyConstraint('chunks_pk', ['job_no', 'chunk_no'])
    .addForeignKeyConstraint('chunks_segment', ['job_no', 'segment_no'], 'segments', ['job_no', 'segment_no'])
  await withCounters(chunks, types).modifyEnd(types.changing).execute()
  await db.schema.createIndex('chunks_first_row').unique().on('chunks').columns(['job_no', 'first_row']).execute()
  await sql`create index chunks_counting on chunks (job_no) where counting = 1`.execute(db)
}

/** Rows carry no foreign keys: a check for each would be paid a million times, and a week's rows must be droppable at once. */
async function createRows(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('rows')
    .addColumn('bucket', types.int64, required)
    .addColumn('job_no', types.int64, required)
    .addColumn('step', types.int16, required)
    .addColumn('row_index', types.int64, required)
    .addColumn('chunk_no', types.int32, required)
    .addColumn('row_id', 'text')
    .addColumn('state', 'text', required)
    .addColumn('cause', 'text')
    .addColumn('message', 'text')
    .addColumn('output', 'text')
    .addColumn('reply', 'text')
    .addColumn('attempts', types.int32, required)
    .addColumn('model', 'text')
    .addColumn('lane', 'text')
    .addColumn('input_tokens', types.int64, required)
    .addColumn('output_tokens', types.int64, required)
    .addColumn('cost_nano', types.int64)
    .addColumn('latency_ms', types.int64)
    .addColumn('request_hash', types.bytes)
    .addColumn('spec_hash', types.bytes, required)
    .addColumn('round', types.int32, required)
    .addColumn('ended_at_ms', types.int64, required)
    .addColumn('fallback', types.int16, required)
    .addPrimaryKeyConstraint('rows_pk', ['bucket', 'job_no', 'step', 'row_index'])
    .modifyEnd(types.byBucket)
    .execute()
  await sql`create index rows_by_id on rows (bucket, job_no, row_id) where row_id is not null`.execute(db)
  // Holds all that tells dead letters apart, so that they are found without looking at the rows between them.
  await sql`create index rows_dead on rows (bucket, job_no, step, row_index, cause, state) where cause is not null`.execute(
    db,
  )
}

/** Attempts lie together by chunk: what takes up a chunk again, books its lost ones, or looks at one row reads a single range. */
async function createLedger(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('attempts')
    .addColumn('job_no', types.int64, required)
    .addColumn('chunk_no', types.int32, required)
    .addColumn('id', types.bytes, required)
    .addColumn('epoch', types.int32, required)
    .addColumn('row_index', types.int64, required)
    .addColumn('round', types.int32, required)
    .addColumn('number', types.int32, required)
    .addColumn('model', 'text', required)
    .addColumn('lane', 'text', required)
    .addColumn('request_hash', types.bytes, required)
    .addColumn('state', 'text', required)
    .addColumn('started_at_ms', types.int64, required)
    .addColumn('ended_at_ms', types.int64)
    .addColumn('cause', 'text')
    .addColumn('message', 'text')
    .addColumn('status', types.int32)
    .addColumn('provider_code', 'text')
    .addColumn('provider_request_id', 'text')
    .addColumn('counts', types.int16, required)
    .addColumn('retryable', types.int16)
    .addColumn('input_tokens', types.int64, required)
    .addColumn('cached_tokens', types.int64, required)
    .addColumn('output_tokens', types.int64, required)
    .addColumn('cost_nano', types.int64)
    .addColumn('reply', 'text')
    .addPrimaryKeyConstraint('attempts_pk', ['job_no', 'chunk_no', 'id'])
    .modifyEnd(types.byTime)
    .execute()
  for (const part of types.otherAttempts) await part.execute(db)
}

async function createAnswers(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('answers')
    .addColumn('answer_key', types.bytes, (column) => column.notNull().primaryKey())
    .addColumn('job_no', types.int64, required)
    .addColumn('row_index', types.int64, required)
    .modifyEnd(types.clustered)
    .execute()
  await db.schema
    .createTable('answers_recent')
    .addColumn('entry_no', types.int64, types.serial)
    .addColumn('answer_key', types.bytes, required)
    .addColumn('job_no', types.int64, required)
    .addColumn('row_index', types.int64, required)
    .modifyEnd(types.plain)
    .execute()
}

async function createMessages(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('messages')
    .addColumn('message_no', types.int64, types.serial)
    .addColumn('task', 'text', (column) => column.notNull().unique())
    .addColumn('job_no', types.int64, required)
    .addColumn('tenant_no', types.int64, required)
    .addColumn('priority', types.int64, required)
    .addColumn('due_at_ms', types.int64, required)
    .addColumn('lease_until_ms', types.int64)
    .addColumn('worker', 'text')
    .addColumn('receipt', types.int64, zero)
    .addColumn('deliveries', types.int64, zero)
    .modifyEnd(types.plain)
    .execute()
  await db.schema.createIndex('messages_of_job').on('messages').columns(['job_no', 'priority', 'message_no']).execute()
  await sql`create index messages_waiting on messages (priority, message_no) where worker is null`.execute(db)
  await sql`create index messages_leased on messages (lease_until_ms) where worker is not null`.execute(db)
}
