import type { Selectable } from 'kysely'
import { TERMINAL_STATES } from '../domain/job.ts'
import type { StoreDatabase } from './database.ts'
import type { OpenAiBatch, OpenAiBatchChange, OpenAiBatches } from './role/openai-batches.ts'
import type { OpenAiBatchesTable } from './schema-service.ts'

/** What the OpenAI-compatible routes know of a batch beside its job. */
export function openAiBatchesRole(database: StoreDatabase): OpenAiBatches {
  const { reader, write, handle } = database
  const batches = () => reader.selectFrom('openai_batches').selectAll('openai_batches')
  return Object.freeze({
    async add(batch) {
      const row = {
        batch_id: batch.id,
        tenant_no: batch.tenantNo,
        job_no: batch.jobNo,
        input_file_id: batch.inputFileId,
        endpoint: batch.endpoint,
        completion_window: batch.completionWindow,
        model: batch.model,
        files_kept_ms: batch.filesKeptMs,
        metadata: batch.metadata,
        notify: batch.notify,
        created_at_ms: batch.createdAtMs,
        expires_at_ms: batch.expiresAtMs,
      }
      await write((tx) =>
        handle(tx)
          .insertInto('openai_batches')
          .values(row)
          .onConflict((conflict) => conflict.column('batch_id').doNothing())
          .execute(),
      )
    },

    async get(tenantNo, id) {
      const row = await batches().where('tenant_no', '=', tenantNo).where('batch_id', '=', id).executeTakeFirst()
      return row === undefined ? null : batchOf(row)
    },
    async byJob(jobNo) {
      const row = await batches().where('job_no', '=', jobNo).executeTakeFirst()
      return row === undefined ? null : batchOf(row)
    },
    async list(tenantNo, { limit, after }) {
      const newest = batches().where('tenant_no', '=', tenantNo).orderBy('batch_id', 'desc').limit(limit)
      return (await (after === undefined ? newest : newest.where('batch_id', '<', after)).execute()).map(batchOf)
    },

    async set(tenantNo, id, change) {
      const columns = columnsOf(change)
      if (Object.keys(columns).length === 0) return
      await write((tx) =>
        handle(tx)
          .updateTable('openai_batches')
          .set(columns)
          .where('tenant_no', '=', tenantNo)
          .where('batch_id', '=', id)
          .execute(),
      )
    },

    async due(nowMs, limit) {
      const rows = await batches()
        .leftJoin('jobs', 'jobs.job_no', 'openai_batches.job_no')
        .where('files_at_ms', 'is', null)
        .where('failed_at_ms', 'is', null)
        .where(({ eb, or, and }) =>
          or([
            eb('openai_batches.job_no', 'is', null),
            and([eb('jobs.state', '=', 'created'), eb('jobs.begun_at_ms', 'is', null)]),
            eb('jobs.state', 'in', TERMINAL_STATES),
            and([eb('expires_at_ms', '<', nowMs), eb('expired_at_ms', 'is', null), eb('cancelling_at_ms', 'is', null)]),
          ]),
        )
        .orderBy('expires_at_ms')
        .limit(limit)
        .execute()
      return rows.map(batchOf)
    },
  } satisfies OpenAiBatches)
}

const COLUMNS = Object.freeze({
  jobNo: 'job_no',
  outputFileId: 'output_file_id',
  errorFileId: 'error_file_id',
  errors: 'errors',
  failedAtMs: 'failed_at_ms',
  cancellingAtMs: 'cancelling_at_ms',
  expiredAtMs: 'expired_at_ms',
  filesAtMs: 'files_at_ms',
} as const satisfies Record<keyof OpenAiBatchChange, keyof OpenAiBatchesTable>)

function columnsOf(change: Partial<OpenAiBatchChange>): Partial<OpenAiBatchesTable> {
  const given = Object.entries(change).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [COLUMNS[name as keyof OpenAiBatchChange], value]))
}

function batchOf(row: Selectable<OpenAiBatchesTable>): OpenAiBatch {
  return {
    id: row.batch_id,
    tenantNo: row.tenant_no,
    jobNo: row.job_no,
    inputFileId: row.input_file_id,
    endpoint: row.endpoint,
    completionWindow: row.completion_window,
    model: row.model,
    filesKeptMs: row.files_kept_ms,
    metadata: row.metadata,
    notify: row.notify,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    outputFileId: row.output_file_id,
    errorFileId: row.error_file_id,
    errors: row.errors,
    failedAtMs: row.failed_at_ms,
    cancellingAtMs: row.cancelling_at_ms,
    expiredAtMs: row.expired_at_ms,
    filesAtMs: row.files_at_ms,
  }
}
