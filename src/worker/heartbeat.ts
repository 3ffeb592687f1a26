import type { JobSettings } from '../domain/job.ts'
import type { Delivery } from '../queue/queue.ts'
import type { HeldChunk } from './held-chunk.ts'
import { type JobRun, order } from './job-run.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** Leases are renewed and wishes are read this often (architecture §4: at most a second). */
export const HEARTBEAT_MS = 1_000

const WORKABLE: ReadonlySet<string> = new Set(['queued', 'running'])

/**
 * One beat: renews the leases of the chunks held, drops those that were lost, and obeys what is wanted of the jobs. A beat that fails is
 * no loss by itself: leases outlive several.
 */
export async function beat(deps: WorkerDeps, guard: StorageGuard, held: ReadonlySet<HeldChunk>, runs: ReadonlyMap<number, JobRun>): Promise<void> {
  const { queue, store } = deps
  const chunks = [...held].filter((chunk) => !chunk.closed)
  if (chunks.length > 0) {
    const kept = new Set((await guard.persist(() => queue.extend(chunks.map((chunk) => chunk.delivery)))).map(receiptOf))
    for (const chunk of chunks) {
      if (chunk.closed || kept.has(receiptOf(chunk.delivery))) continue
      chunk.stale = true
      deps.events.emit('chunk.stale', { jobNo: chunk.claim.jobNo, chunkNo: chunk.claim.chunkNo })
    }
  }
  if (runs.size === 0) return
  for (const control of await guard.persist(() => store.jobs.controls([...runs.keys()]))) {
    const run = runs.get(control.jobNo)
    if (run === undefined) continue
    if (control.wanted !== null || !WORKABLE.has(control.state)) order(run, { kind: 'wish', reason: control.wantedReason, detail: null })
    applySettings(deps, run, control.settings)
    checkTime(deps, run)
    checkProvider(deps, run)
  }
}

/** Puts a job's ceiling of concurrency into force for the accounts it uses. */
export function applySettings(deps: WorkerDeps, run: JobRun, settings: JobSettings): void {
  const max = settings.concurrency ?? run.spec.execution.concurrency.max
  for (const target of run.targets.values()) deps.governor.setMax(target.account, max)
}

function checkTime(deps: WorkerDeps, run: JobRun): void {
  const limitMs = run.spec.execution.timeout.jobMs
  if (limitMs === null) return
  const now = deps.runtime.now()
  const { activeMs, activeSinceMs } = run.job
  if (activeMs + now - (activeSinceMs ?? now) > limitMs) {
    order(run, { kind: 'own', reason: 'timeout', detail: `execution.timeout.job (${Math.round(limitMs / 1000)} s) has passed` })
  }
}

function checkProvider(deps: WorkerDeps, run: JobRun): void {
  for (const target of run.targets.values()) {
    if (!deps.governor.state(target.account).down) continue
    order(run, { kind: 'own', reason: 'provider_down', detail: `${target.modelId} has not answered for minutes` })
  }
}

function receiptOf(delivery: Delivery): string {
  return `${delivery.messageId}/${delivery.receipt}`
}
