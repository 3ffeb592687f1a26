import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** What a server of many tenants keeps: their caps and keys, who did what, uploads, answers to requests, and specs that were published. */
export function service(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await addCaps(db, types)
      await db.schema.alterTable('jobs').addColumn('begun_at_ms', types.int64).execute()
      await createKeys(db, types)
      await createAudit(db, types)
      await createFiles(db, types)
      await createRequests(db, types)
      await createOpenAiBatches(db, types)
      await createSpecVersions(db, types)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const key = (column: ColumnDefinitionBuilder) => column.notNull().primaryKey()
const tenant = (column: ColumnDefinitionBuilder) => column.notNull().references('tenants.tenant_no')

async function addCaps(db: Kysely<unknown>, types: ColumnTypes) {
  for (const column of ['max_jobs', 'concurrency', 'tpm', 'month_nano', 'created_at_ms'])
    await db.schema.alterTable('tenants').addColumn(column, types.int64).execute()
  await db.schema
    .alterTable('tenants')
    .addColumn('weight', types.int32, (column) => column.notNull().defaultTo(1))
    .execute()
}

async function createKeys(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('api_keys')
    .addColumn('key_id', 'text', key)
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('name', 'text', required)
    .addColumn('scopes', 'text', required)
    .addColumn('secret_hash', 'text', required)
    .addColumn('created_at_ms', types.int64, required)
    .addColumn('expires_at_ms', types.int64)
    .addColumn('revoked_at_ms', types.int64)
    .addColumn('used_at_ms', types.int64)
    .modifyEnd(types.changing)
    .execute()
  await sql`create index api_keys_of_tenant on api_keys (tenant_no, key_id)`.execute(db)
}

async function createAudit(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('audit')
    .addColumn('entry_no', types.int64, types.serial)
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('actor', 'text', required)
    .addColumn('action', 'text', required)
    .addColumn('subject', 'text', required)
    .addColumn('detail', 'text')
    .addColumn('at_ms', types.int64, required)
    .modifyEnd(types.plain)
    .execute()
  await sql`create index audit_of_tenant on audit (tenant_no, entry_no)`.execute(db)
  await sql`create index audit_of_subject on audit (tenant_no, subject, entry_no)`.execute(db)
}

async function createFiles(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('files')
    .addColumn('file_id', 'text', key)
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('purpose', 'text', required)
    .addColumn('name', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('bytes', types.int64, (column) => column.notNull().defaultTo(0))
    .addColumn('sha256', 'text')
    .addColumn('note', 'text')
    .addColumn('created_at_ms', types.int64, required)
    .addColumn('expires_at_ms', types.int64)
    .modifyEnd(types.changing)
    .execute()
  await sql`create index files_of_tenant on files (tenant_no, file_id)`.execute(db)
  await sql`create index files_of_purpose on files (tenant_no, purpose, file_id)`.execute(db)
  await sql`create index files_expiring on files (expires_at_ms) where expires_at_ms is not null`.execute(db)
  await db.schema
    .createTable('file_parts')
    .addColumn('file_id', 'text', required)
    .addColumn('byte_offset', types.int64, required)
    .addColumn('bytes', types.int64, required)
    .addColumn('blob_key', 'text', required)
    .addPrimaryKeyConstraint('file_parts_pk', ['file_id', 'byte_offset'])
    .modifyEnd(types.clustered)
    .execute()
}

async function createRequests(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('requests')
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('request_key', 'text', required)
    .addColumn('fingerprint', 'text', required)
    .addColumn('subject', 'text', required)
    .addColumn('created_at_ms', types.int64, required)
    .addColumn('taken_at_ms', types.int64)
    .addColumn('status', types.int32)
    .addColumn('headers', 'text')
    .addColumn('body', 'text')
    .addColumn('answered_at_ms', types.int64)
    .addPrimaryKeyConstraint('requests_pk', ['tenant_no', 'request_key'])
    .modifyEnd(types.changing)
    .execute()
  await sql`create index requests_oldest on requests (created_at_ms)`.execute(db)
}

async function createOpenAiBatches(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('openai_batches')
    .addColumn('batch_id', 'text', key)
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('job_no', types.int64)
    .addColumn('input_file_id', 'text', required)
    .addColumn('endpoint', 'text', required)
    .addColumn('completion_window', 'text', required)
    .addColumn('metadata', 'text')
    .addColumn('notify', 'text')
    .addColumn('created_at_ms', types.int64, required)
    .addColumn('expires_at_ms', types.int64, required)
    .addColumn('output_file_id', 'text')
    .addColumn('error_file_id', 'text')
    .addColumn('errors', 'text')
    .addColumn('failed_at_ms', types.int64)
    .addColumn('cancelling_at_ms', types.int64)
    .addColumn('expired_at_ms', types.int64)
    .addColumn('files_at_ms', types.int64)
    .modifyEnd(types.changing)
    .execute()
  await sql`create index openai_batches_of_tenant on openai_batches (tenant_no, batch_id)`.execute(db)
  await sql`create unique index openai_batches_of_job on openai_batches (job_no) where job_no is not null`.execute(db)
  await sql`create index openai_batches_open on openai_batches (expires_at_ms) where files_at_ms is null and failed_at_ms is null`.execute(
    db,
  )
}

async function createSpecVersions(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('spec_versions')
    .addColumn('tenant_no', types.int64, tenant)
    .addColumn('name', 'text', required)
    .addColumn('version', types.int64, required)
    .addColumn('hash', 'text', required)
    .addColumn('source', 'text', required)
    .addColumn('created_at_ms', types.int64, required)
    .addPrimaryKeyConstraint('spec_versions_pk', ['tenant_no', 'name', 'version'])
    .modifyEnd(types.plain)
    .execute()
}
