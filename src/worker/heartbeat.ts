import type { Delivery } from '../queue/queue.ts'
import type { BudgetGate } from './budget-gate.ts'
import { watchBudgets } from './budget-watch.ts'
import { checkProviders } from './check-providers.ts'
import type { Errands } from './errands.ts'
import { applyCeilings, type JobRun, order, WORKABLE } from './job-run.ts'
import type { Shelf } from './shelf.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { TenantGate } from './tenant-gate.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** Leases are renewed and wishes are read this often (architecture §4: at most a second). */
export const HEARTBEAT_MS = 1_000

interface BeatPartners {
  readonly guard: StorageGuard
  readonly shelf: Shelf
  readonly errands: Errands
  readonly budget: BudgetGate
  readonly tenants: TenantGate
}

/**
 * One beat: renews the leases held, drops the chunks whose lease was lost, frees those of dead workers where it is this worker's to do, and obeys
 * what is wanted of the jobs.
 * A beat that fails is no loss by itself: leases outlive several.
 */
export async function beat(deps: WorkerDeps, partners: BeatPartners): Promise<void> {
  const { guard, shelf } = partners
  await renewLeases(deps, partners)
  if (deps.reclaims) await guard.persist(() => deps.queue.reclaim(deps.isGone))
  if (shelf.runs.size === 0) return
  const controls = await guard.persist(() => deps.store.jobs.controls([...shelf.runs.keys()]))
  for (const { jobNo, state, wanted, wantedReason, settings, caps, route } of controls) {
    const run = shelf.runs.get(jobNo)
    // All rows of a job that is finalizing have ended: there is nothing to stop.
    if (run === undefined || state === 'finalizing') continue
    if (wanted !== null || !WORKABLE.has(state)) order(run, { kind: 'wish', reason: wantedReason, detail: null })
    run.settings = settings
    run.caps = caps
    run.route = route ?? null
    checkTime(deps, run)
  }
  applyCeilings(deps.governor, shelf.runs.values())
  await checkProviders(deps, guard, shelf.runs.values())
  await guard.persist(() => partners.tenants.look())
  await watchBudgets(deps, partners)
}

async function renewLeases({ queue, events }: WorkerDeps, { guard, shelf, errands }: BeatPartners): Promise<void> {
  const chunks = [...shelf.held].filter((chunk) => !chunk.closed && !chunk.stale)
  const beside = errands.deliveries()
  const deliveries = [...chunks.map((chunk) => chunk.delivery), ...shelf.arriving, ...beside]
  if (deliveries.length === 0) return
  const kept = new Set((await guard.persist(() => queue.extend(deliveries))).map(receiptOf))
  for (const errand of beside) if (!kept.has(receiptOf(errand))) errands.lose(errand)
  for (const chunk of chunks) {
    if (chunk.closed || chunk.stale || kept.has(receiptOf(chunk.delivery))) continue
    chunk.stale = true
    events.emit('chunk.stale', { jobNo: chunk.claim.jobNo, chunkNo: chunk.claim.chunkNo })
  }
}

/** The limit is on the time that the job was active; a retry begins it anew. */
function checkTime(deps: WorkerDeps, run: JobRun): void {
  const limitMs = run.spec.execution.timeout.jobMs
  if (limitMs === null) return
  const now = deps.runtime.now()
  const { activeMs, activeSinceMs } = run.job
  const usedMs = Math.min(activeMs + now - (activeSinceMs ?? now), now - run.roundBeganMs)
  if (usedMs <= limitMs) return
  const detail = `execution.timeout.job (${Math.round(limitMs / 1000)} s) has passed`
  order(run, { kind: 'own', reason: 'timeout', detail })
}

function receiptOf(delivery: Delivery): string {
  return `${delivery.messageId}/${delivery.receipt}`
}
