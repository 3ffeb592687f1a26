import { limitsOf } from '../domain/budget.ts'
import { viewBudget } from '../domain/budget-view.ts'
import { deadlineAt } from '../domain/deadline.ts'
import { type Counters, isTerminal, isTrial, type Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import type { JobStatus, LiveStatus } from '../engine.ts'
import type { Outlook } from '../store/role/budgets.ts'
import type { JobProgress } from '../store/role/jobs.ts'
import type { EngineDeps } from './engine-deps.ts'
import { exitCodeOf } from './exit-code.ts'
import { createKeptSpecs } from './job-parts.ts'
import { createKept } from './kept.ts'
import { batchPolicy } from './take-up.ts'
import { turnaroundsOf } from './turnarounds.ts'

/** How often a panel that is drawn four times a second looks anew where the budget stands, and the batches. */
const OUTLOOK_MS = 1_000

/** Rows that have their outcome. */
export function rowsEnded(counters: Counters): number {
  return counters.succeeded + counters.failed + counters.skipped + counters.cancelled
}

/** Time that the job has been active, its pauses left out. */
export function elapsedOf(job: Job, nowMs: number): number {
  return job.activeMs + (job.activeSinceMs === null ? 0 : Math.max(0, nowMs - job.activeSinceMs))
}

/** What one who works on the job adds to its status. */
interface LookFor {
  readonly live?: (status: Omit<JobStatus, 'live'>) => LiveStatus
  readonly rowsAtStart?: number
}

/** Reads the status of jobs; what does not change, or cannot have changed, is not read again. */
export interface StatusReader {
  read(jobNo: number, more?: LookFor): Promise<JobStatus>
  /** In the given order; those that are not there any more are left out. */
  readAll(jobNos: readonly number[]): Promise<readonly JobStatus[]>
}

/** Jobs of which something is known that is kept for the next look: a server looks at many in its life. */
const KEPT = 200

/** Jobs whose progress is read at a time. */
const AT_ONCE = 200

/** Creates a reader. It is cheap to ask four times a second. */
export function createStatusReader(deps: EngineDeps): StatusReader {
  const specOfJob = createKeptSpecs(deps)
  const batches = new Map<number, { readonly atMs: number; readonly inBatches: InBatches }>()
  const rounds = createKept<number>(KEPT, () => 1)
  const outlooks = new Map<number, { readonly atMs: number; readonly outlook: Outlook }>()
  const causes = createKept<JobStatus['causes']>(KEPT, () => 1)

  const budgetOf = async (job: Job, spec: Pick<Spec, 'budget'>, isLive: boolean) => {
    const limits = limitsOf(spec.budget, job.settings)
    if (limits.nano === null && limits.tokens === null) return null
    const nowMs = deps.runtime.elapsed()
    const before = outlooks.get(job.jobNo)
    const isFresh = isLive && before !== undefined && nowMs - before.atMs < OUTLOOK_MS
    const seen = isFresh ? before : { atMs: nowMs, outlook: await deps.store.budgets.outlook(job.jobNo) }
    if (isLive) outlooks.set(job.jobNo, seen)
    return viewBudget(limits, seen.outlook, isTerminal(job.state))
  }
  const batchesOf = async (job: Job, spec: Spec, isLive: boolean) => {
    if (batchPolicy(job, spec) === null || isTerminal(job.state)) return NO_BATCHES
    const nowMs = deps.runtime.elapsed()
    const before = batches.get(job.jobNo)
    if (isLive && before !== undefined && nowMs - before.atMs < OUTLOOK_MS) return before.inBatches
    const inBatches = await inBatchesOf(deps, job.jobNo, spec)
    if (isLive) batches.set(job.jobNo, { atMs: nowMs, inBatches })
    return inBatches
  }
  const deadlineOf = async (job: Job, { execution: { deadlineMs } }: Spec) => {
    if (deadlineMs === undefined) return null
    const beganMs = await rounds.get(
      `${job.jobNo}/${job.round}`,
      async () => (await deps.store.jobs.round(job.jobNo, job.round))?.atMs ?? job.createdAtMs,
    )
    return deadlineAt(deadlineMs, beganMs, isTrial(job))
  }
  const causesOf = async ({ jobNo, round }: Job, failed: number) => {
    if (failed === 0) return []
    const read = async () => (await deps.store.rows.causes(jobNo)).map(({ cause, rows }) => ({ cause, rows }))
    return causes.get(`${jobNo}/${round}/${failed}`, read)
  }
  const statusOf = async (progress: JobProgress, more: LookFor): Promise<JobStatus> => {
    const { job, counters } = progress
    const spec = await specOfJob(job)
    const status: Omit<JobStatus, 'live'> = {
      job,
      counters,
      chunksDone: progress.chunksDone,
      rowsDone: rowsEnded(counters),
      rowsAtStart: more.rowsAtStart ?? 0,
      elapsedMs: elapsedOf(job, deps.runtime.now()),
      causes: await causesOf(job, counters.failed),
      exitCode: exitCodeOf(job),
      model: spec.model.target.id,
      lane: batchPolicy(job, spec) === null ? 'live' : spec.execution.lane,
      deadlineAtMs: await deadlineOf(job, spec),
      ...(await batchesOf(job, spec, more.live !== undefined)),
      budget: await budgetOf(job, spec, more.live !== undefined),
    }
    return { ...status, live: more.live === undefined ? null : more.live(status) }
  }
  return Object.freeze({
    read: async (jobNo, more = {}) => statusOf(await deps.store.jobs.progress(jobNo), more),
    async readAll(jobNos) {
      const all: JobStatus[] = []
      for (let at = 0; at < jobNos.length; at += AT_ONCE) {
        const page = await deps.store.jobs.progressOf(jobNos.slice(at, at + AT_ONCE))
        all.push(...(await Promise.all(page.map((progress) => statusOf(progress, {})))))
      }
      return all
    },
  } satisfies StatusReader)
}

type InBatches = Pick<JobStatus, 'batches' | 'turnarounds'>

const NO_BATCHES: InBatches = Object.freeze({ batches: null, turnarounds: null })

async function inBatchesOf(deps: EngineDeps, jobNo: number, spec: Spec): Promise<InBatches> {
  const batches = await deps.store.batches.outstanding(jobNo)
  const isOut = batches.packed > 0 || batches.shards.length > 0
  return { batches, turnarounds: isOut ? await turnaroundsOf(deps, spec.model.target) : null }
}
