import type { Cause } from '../domain/failure.ts'
import type { Counters, Job } from '../domain/job.ts'
import type { JobStatus, LiveStatus } from '../engine.ts'
import type { EngineDeps } from './engine-deps.ts'
import { exitCodeOf } from './exit-code.ts'
import { specOf } from './take-up.ts'

/** Rows that have their outcome. */
export function rowsEnded(counters: Counters): number {
  return counters.succeeded + counters.failed + counters.skipped + counters.cancelled
}

/** Time that the job has been active, its pauses left out. */
export function elapsedOf(job: Job, nowMs: number): number {
  return job.activeMs + (job.activeSinceMs === null ? 0 : Math.max(0, nowMs - job.activeSinceMs))
}

/** Reads the status of jobs; what does not change, or cannot have changed, is not read again. */
export interface StatusReader {
  read(
    jobNo: number,
    more?: { readonly live?: (status: Omit<JobStatus, 'live'>) => LiveStatus; readonly rowsAtStart?: number },
  ): Promise<JobStatus>
}

/** Creates a reader. It is cheap to ask four times a second. */
export function createStatusReader(deps: EngineDeps): StatusReader {
  const models = new Map<string, string>()
  const causes = new Map<
    number,
    { readonly failed: number; readonly list: readonly { readonly cause: Cause; readonly rows: number }[] }
  >()

  const modelOf = async (job: Job) => {
    const known = models.get(job.specHash)
    if (known !== undefined) return known
    const model = (await specOf(deps, job)).model.target.id
    models.set(job.specHash, model)
    return model
  }
  const causesOf = async (jobNo: number, failed: number) => {
    const known = causes.get(jobNo)
    if (known?.failed === failed) return known.list
    const list = failed === 0 ? [] : (await deps.store.rows.causes(jobNo)).map(({ cause, rows }) => ({ cause, rows }))
    causes.set(jobNo, { failed, list })
    return list
  }
  return Object.freeze({
    async read(jobNo, more = {}) {
      const progress = await deps.store.jobs.progress(jobNo)
      const { job, counters } = progress
      const rowsDone = rowsEnded(counters)
      const status: Omit<JobStatus, 'live'> = {
        job,
        counters,
        chunksDone: progress.chunksDone,
        rowsDone,
        rowsAtStart: more.rowsAtStart ?? 0,
        elapsedMs: elapsedOf(job, deps.runtime.now()),
        causes: await causesOf(jobNo, counters.failed),
        exitCode: exitCodeOf(job),
        model: await modelOf(job),
      }
      return { ...status, live: more.live === undefined ? null : more.live(status) }
    },
  } satisfies StatusReader)
}
