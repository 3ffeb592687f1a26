import type { Spec } from '../domain/spec.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { type Marks, marksOf, tellMarks, wantsMarks } from '../job/tell-marks.ts'
import type { ActiveJob } from '../store/role/fleet.ts'
import type { Duty } from '../worker/duties.ts'
import type { WorkDeps } from './enter-fleet.ts'

/** How often the jobs at work are looked at. */
const LOOK_EVERY_MS = 2_000
/** Jobs that are listed at a time. */
const PAGE = 500

/** What is remembered of a round of a job. */
interface Known {
  readonly round: number
  /** `null`: nobody wants to hear how it stands. */
  readonly spec: Spec | null
  /** Marks that need not be told again, as JSON. */
  readonly told: Set<string>
}

/**
 * Looks how far jobs at work have used their budgets, and whether they break rules on which somebody wants to be alerted. Nothing is remembered that
 * matters: what was told stands with the job, and two that look at once tell it once.
 */
export function watchDuty(parts: WorkDeps): Duty {
  const memory = new Map<number, Known>()
  return {
    role: 'watcher',
    everyMs: LOOK_EVERY_MS,
    async work(holds) {
      const seen = new Set<number>()
      for (let after = 0; ; ) {
        const jobs = await parts.deps.store.fleet.active(after, PAGE)
        for (const job of jobs) {
          if (!holds()) return
          seen.add(job.jobNo)
          await lookAt(parts, memory, job).catch((error: unknown) => tell(parts, job, error))
        }
        const last = jobs[jobs.length - 1]
        if (last === undefined || jobs.length < PAGE) break
        after = last.jobNo
      }
      for (const jobNo of memory.keys()) if (!seen.has(jobNo)) memory.delete(jobNo)
    },
  }
}

async function lookAt(parts: WorkDeps, memory: Map<number, Known>, active: ActiveJob): Promise<void> {
  const { deps, jobDeps } = parts
  const known = await knownOf(parts, memory, active)
  if (known === null || known.spec === null) return
  const { job, counters } = await deps.store.jobs.progress(active.jobNo)
  if (job.round !== known.round) return
  const standing = { job, counters, state: job.state, reason: null, atMs: deps.runtime.now() }
  const marks = await marksOf(jobDeps, known.spec, standing)
  const keys = keysOf(marks)
  if (keys.every((key) => known.told.has(key))) return
  const { spec } = known
  await deps.store.write((tx) => tellMarks(jobDeps, tx, standing, spec, marks))
  for (const key of keys) known.told.add(key)
}

async function knownOf(
  { deps, jobDeps }: WorkDeps,
  memory: Map<number, Known>,
  { jobNo, round }: ActiveJob,
): Promise<Known | null> {
  const before = memory.get(jobNo)
  if (before?.round === round) return before
  const job = await deps.store.jobs.getByNo(jobNo)
  if (job === null) return null
  const spec = await jobDeps.specOf(job)
  const known = { round: job.round, spec: wantsMarks(job, spec) ? spec : null, told: new Set<string>() }
  memory.set(jobNo, known)
  return known
}

/** Names a mark; what grows while it stands is left out. */
function keysOf({ budget, alerts }: Marks): readonly string[] {
  return [...budget.map(({ limit, of, mark }) => JSON.stringify([limit, of, mark])), ...alerts.map(({ rule }) => rule)]
}

/** What goes wrong with one job holds up no other. */
function tell({ deps }: WorkDeps, { jobNo }: ActiveJob, error: unknown): void {
  if (error instanceof StorageFailure) throw error
  const message = error instanceof Error ? error.message : String(error)
  deps.events.emit('duty.failed', { role: 'watcher', jobNo, message })
}
