import { type Kysely, sql } from 'kysely'
import { type Job, TERMINAL_STATES } from '../domain/job.ts'
import type { Database } from './schema.ts'

/**
 * Marks jobs that ended before `endedBeforeMs` as dropped, and removes their manifests; their rows can go from then on. Only jobs of `bucket`, or
 * only the job `jobNo`.
 */
export async function forgetJobs(
  db: Kysely<Database>,
  which: { readonly bucket: number } | { readonly jobNo: number },
  endedBeforeMs: number,
  atMs: number,
): Promise<readonly Pick<Job, 'jobNo' | 'id'>[]> {
  const jobs = db.updateTable('jobs').set({ dropped_at_ms: atMs })
  const chosen = 'bucket' in which ? jobs.where('bucket', '=', which.bucket) : jobs.where('job_no', '=', which.jobNo)
  const dropped = await chosen
    .where('state', 'in', TERMINAL_STATES)
    .where('ended_at_ms', '<', endedBeforeMs)
    .where('dropped_at_ms', 'is', null)
    .returning(['job_no', 'id'])
    .execute()
  for (const { job_no } of dropped) {
    await db.deleteFrom('batch_parts').where('job_no', '=', job_no).execute()
    await db.deleteFrom('budget_holdings').where('job_no', '=', job_no).execute()
    await db.deleteFrom('outbox').where('job_no', '=', job_no).execute()
    await db.deleteFrom('chunks').where('job_no', '=', job_no).execute()
    await db.deleteFrom('segments').where('job_no', '=', job_no).execute()
  }
  return dropped.map((job) => ({ jobNo: job.job_no, id: job.id }))
}

/** Removes shards that were planned before `beforeMs` and of which no job has a part any more. */
export async function forgetShards(db: Kysely<Database>, beforeMs: number): Promise<void> {
  const parts = db
    .selectFrom('batch_parts')
    .select('part_id')
    .where('batch_parts.shard_id', '=', sql.ref<string>('batch_shards.shard_id'))
  await db
    .deleteFrom('batch_shards')
    .where('planned_at_ms', '<', beforeMs)
    .where(({ not, exists }) => not(exists(parts)))
    .execute()
}

/** Jobs that are dropped, as part of a query. */
export function droppedJobs(db: Kysely<Database>) {
  return db.selectFrom('jobs').select('job_no').where('dropped_at_ms', 'is not', null)
}
