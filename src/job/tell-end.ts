import type { Counters } from '../domain/job.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { JobDeps } from './job-deps.ts'

/**
 * Tells this process that a job is over, if it is. After the commit that ended it; where the store does not answer just then, nobody is told. `before`: its
 * totals when open rows were still to be cancelled.
 */
export async function tellEnd(
  { store, events }: Pick<JobDeps, 'store' | 'events'>,
  jobNo: number,
  before?: Counters,
): Promise<void> {
  const job = await store.jobs.getByNo(jobNo).catch((error: unknown) => {
    // The job has ended, and who asked for that must hear so; what is lost is a span, and a few figures of this process.
    if (error instanceof StorageFailure) return null
    throw error
  })
  if (job === null || job.endedAtMs === null) return
  const { id: jobId, tenantNo, round, state, createdAtMs, startedAtMs, endedAtMs, counters } = job
  const cancelled = before === undefined ? 0 : counters.cancelled - before.cancelled
  const times = { createdAtMs, startedAtMs, endedAtMs }
  events?.emit('job.ended', { jobNo, jobId, tenantNo, round, state, ...times, counters, cancelled })
}
