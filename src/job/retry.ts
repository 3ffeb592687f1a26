import { isTerminal, type Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { RowSelection } from '../store/store.ts'
import { enqueueWork } from './enqueue.ts'
import type { JobDeps } from './job-deps.ts'

class NothingToRetry extends Error {}

/**
 * Opens a new round over the failed and cancelled rows that match `selection`, under the spec version `specHash`. Rows that never had an
 * outcome run too. Old attempts stay. Returns how many rows there are to run; 0: nothing was changed.
 */
export async function retry(deps: JobDeps, job: Job, selection: RowSelection, specHash: string): Promise<number> {
  const { store, runtime } = deps
  if (!isTerminal(job.state)) {
    throw new SluiceError('job_state', `${job.id} is ${job.state}: its failed rows can be retried when it has ended`, {
      hint: job.state === 'paused' ? 'Resume or cancel it first.' : 'Wait for it: `sluice wait`.',
    })
  }
  if (!(await store.chunks.intakeProgress(job.jobNo)).done) {
    throw new SluiceError('job_state', `${job.id} ended before its input was read: there is nothing to retry`, {
      hint: 'Start a new job: `sluice run`.',
    })
  }
  const { counters } = await store.jobs.progress(job.jobNo)
  const pending = job.rowsTotal - counters.succeeded - counters.failed - counters.skipped - counters.cancelled
  const round = job.round + 1
  try {
    return await store.write(async (tx) => {
      const reopened = await store.rows.reopen(tx, job.jobNo, round, selection)
      if (reopened.rows + pending === 0) throw new NothingToRetry()
      const opened = await store.jobs.openRound(tx, job.jobNo, {
        round,
        specHash,
        selection: JSON.stringify(selection),
        atMs: runtime.now(),
      })
      if (!opened) throw new SluiceError('job_state', `${job.id} was changed by somebody else meanwhile`)
      await enqueueWork(deps, tx, { ...job, specHash, round })
      return reopened.rows + pending
    })
  } catch (error) {
    if (error instanceof NothingToRetry) return 0
    throw error
  }
}
