import type { Job, StateReason } from '../domain/job.ts'
import type { ExitCode } from '../errors.ts'

const BY_REASON: Readonly<Record<StateReason, ExitCode>> = {
  user: 130,
  budget: 5,
  error_rate: 3,
  provider_down: 1,
  credentials: 4,
  quota: 4,
  storage: 1,
  approval: 6,
  gate: 3,
  timeout: 1,
  intake: 2,
  error: 1,
}

/** The exit code that a job's state stands for (contract §5). A job that has not stood still is 6. */
export function exitCodeOf(job: Pick<Job, 'state' | 'reason'>): ExitCode {
  switch (job.state) {
    case 'completed':
      return 0
    case 'cancelled':
      return 1
    case 'failed':
    case 'paused':
      return job.reason === null ? 1 : BY_REASON[job.reason]
    default:
      return 6
  }
}
