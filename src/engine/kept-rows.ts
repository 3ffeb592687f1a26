import type { Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'

/** Throws SluiceError `job_state` for a job whose rows were thrown away as too old: an empty answer would be a wrong one. */
export function assertRowsKept(job: Job): void {
  if (job.droppedAtMs === undefined) return
  const day = new Date(job.droppedAtMs).toISOString().slice(0, 10)
  throw new SluiceError('job_state', `the rows of ${job.id} were cleaned up on ${day}; only its totals are left`, {
    hint: 'See them with `sluice status`.',
  })
}
