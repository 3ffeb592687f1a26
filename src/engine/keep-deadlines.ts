import { failure } from '../domain/failure.ts'
import type { Job } from '../domain/job.ts'
import { type Route, rerouted } from '../domain/route.ts'
import type { Spec } from '../domain/spec.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { closingMs } from '../lane/choose-way.ts'
import { type Haste, keepDeadline, type Standing } from '../lane/keep-deadline.ts'
import { createLivePace, type LivePace } from '../lane/live-pace.ts'
import { chunkMessages } from '../queue/chunk-messages.ts'
import type { BatchFigures } from '../store/role/batches.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'
import { RECALL_MS } from './route.ts'
import { rowsEnded } from './status.ts'

/** How often the jobs are looked at whose deadline is near. */
const LOOK_MS = 2_000
/** How soon it is seen that somebody else keeps them. */
const SHORT_MS = 250

/** Jobs with a route that are looked at. */
const MOST_JOBS = 10_000

/** What one keeper of deadlines remembers of a job. */
interface Memory {
  readonly spec: Spec
  readonly pace: LivePace
}

/**
 * Sees that jobs of `lane: auto` meet their deadlines, as long as `holds` says so: what would be late goes live. Nothing of it is remembered that
 * matters: another keeper goes on, and two at once do no harm.
 */
export async function keepDeadlines(deps: EngineDeps, holds: () => boolean): Promise<void> {
  const memories = new Map<string, Memory>()
  while (holds()) {
    const jobs = await deps.store.jobs.routed(MOST_JOBS).catch(unlessAway)
    for (const job of jobs ?? []) {
      if (!holds()) return
      await lookAt(deps, memories, job).catch((error: unknown) => tell(deps, job, error))
    }
    if (jobs !== null) forget(memories, jobs)
    for (let waitedMs = 0; waitedMs < LOOK_MS && holds(); waitedMs += SHORT_MS) await deps.runtime.sleep(SHORT_MS)
  }
}

async function lookAt(deps: EngineDeps, memories: Map<string, Memory>, job: Job): Promise<void> {
  const { route } = job
  if (route === undefined || route.deadlineAtMs === null || job.wanted !== null) return
  const memory = memories.get(keyOf(job)) ?? { spec: await specOf(deps, job), pace: createLivePace() }
  memories.set(keyOf(job), memory)
  const recallMs = memory.spec.execution.batch?.recallMs ?? RECALL_MS
  const most = recallMs + closingMs(job.rowsTotal) + job.rowsTotal * route.liveMsPerRow
  // All of the rows could still be asked live.
  if (route.way !== 'live' && deps.runtime.now() + most < route.deadlineAtMs) return
  const standing = await standingOf(deps, memory, job, { ...route, deadlineAtMs: route.deadlineAtMs }, recallMs)
  const haste = keepDeadline(standing)
  if (haste !== null) await hurry(deps, memory.spec, job, route, haste)
}

async function standingOf(
  { store, runtime }: EngineDeps,
  { pace }: Memory,
  { jobNo, rowsTotal }: Job,
  route: Route & { readonly deadlineAtMs: number },
  recallMs: number,
): Promise<Standing> {
  const figures = await store.batches.outstanding(jobNo)
  const ended = rowsEnded((await store.jobs.progress(jobNo)).counters)
  const nowMs = runtime.now()
  const left = Math.max(0, rowsTotal - ended)
  if (route.way === 'live') {
    const waiting = left - figures.packed - figures.placed
    pace.note({ atMs: nowMs, ended: Math.max(0, ended - figures.booked), waiting: Math.max(0, waiting) })
  }
  const out = outOf(figures, nowMs)
  return {
    nowMs,
    deadlineAtMs: route.deadlineAtMs,
    way: route.way,
    rows: rowsTotal,
    left,
    packed: figures.packed,
    out,
    leaving: Math.max(0, figures.placed - out.reduce((sum, { requests }) => sum + requests, 0)),
    liveMsPerRow: pace.msPerRow() ?? route.liveMsPerRow,
    recallMs,
  }
}

/** What the provider has. A batch of which we do not know whether it has it cannot be called back. */
function outOf({ shards }: BatchFigures, nowMs: number): Standing['out'] {
  return shards
    .filter(({ state }) => state === 'submitted' || state === 'ended')
    .map(({ id, requests, submittedAtMs, cancelWantedMs, state }) => ({
      id,
      requests,
      sentAtMs: submittedAtMs ?? nowMs,
      called: cancelWantedMs !== null || state === 'ended',
    }))
}

async function hurry(deps: EngineDeps, spec: Spec, job: Job, route: Route, haste: Haste): Promise<void> {
  const { store, queue, runtime } = deps
  const atMs = runtime.now()
  if (haste.goLive) {
    const why = 'the deadline is near: what would be late is asked live'
    const changed = await store.jobs.setRoute(job.jobNo, route, rerouted(route, { atMs, to: 'live', why }), atMs)
    if (!changed) return
  }
  if (haste.takeBack > 0) {
    await store.write(async (tx) => {
      const why = failure('cancelled', 'it waited for a batch when the deadline was near')
      const refs = await store.batches.unpack(tx, job.jobNo, haste.takeBack, why)
      await queue.enqueue(tx, chunkMessages(refs, job.tenantNo, job.settings.priority ?? spec.priority))
    })
  }
  if (haste.callBack.length > 0) await store.batches.callBack(haste.callBack, atMs)
}

function keyOf({ jobNo, round }: Job): string {
  return `${jobNo} ${round}`
}

function forget(memories: Map<string, Memory>, jobs: readonly Job[]): void {
  const known = new Set(jobs.map(keyOf))
  for (const key of memories.keys()) if (!known.has(key)) memories.delete(key)
}

/** A store that is away for a while ends nothing. */
function unlessAway(error: unknown): null {
  if (error instanceof StorageFailure && error.kind !== 'closed') return null
  throw error
}

function tell({ events }: EngineDeps, { jobNo }: Job, error: unknown): void {
  if (error instanceof StorageFailure) return
  const message = error instanceof Error ? error.message : String(error)
  events.emit('duty.failed', { role: 'batcher', jobNo, message })
}
