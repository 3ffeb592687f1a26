import type { BudgetGate } from './budget-gate.ts'
import type { HeldChunk } from './held-chunk.ts'
import type { JobRun } from './job-run.ts'
import type { Pool } from './pool.ts'
import type { Recorder } from './recorder.ts'
import type { Shelf } from './shelf.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

interface StopPartners {
  readonly recorder: Recorder
  readonly guard: StorageGuard
  readonly pool: Pool
  readonly shelf: Shelf
  readonly budget: BudgetGate
}

/**
 * Carries out stop orders as far as can be done now: rows that are not under way go back; a chunk whose last row has come home is given back;
 * and when the last chunk of a job is back, what is wanted of the job is done. To be called again until nothing is left to stop.
 */
export async function settleStops(deps: WorkerDeps, partners: StopPartners): Promise<void> {
  const { shelf } = partners
  for (const [jobNo, run] of shelf.runs) if (run.stop !== null) await settleStop(deps, partners, jobNo, run)
  for (const held of [...shelf.held]) if (held.stale && held.inFlight === 0) shelf.remove(held)
}

async function settleStop(deps: WorkerDeps, partners: StopPartners, jobNo: number, run: JobRun): Promise<void> {
  const { recorder, guard, pool, shelf, budget } = partners
  if (run.stop?.kind === 'own') {
    const { reason, detail } = run.stop
    await guard.persist(() => deps.store.jobs.want(jobNo, 'pause', reason, detail))
    run.stop = { kind: 'wish', reason, detail }
  }
  const mine = [...shelf.held].filter((held: HeldChunk) => held.claim.jobNo === jobNo)
  for (const held of mine) pool.drop(held)
  const home = mine.filter((held) => held.inFlight === 0)
  if (home.length > 0) await recorder.flush()
  for (const held of home) await shelf.giveBack(held)
  if (mine.length > home.length) return
  await budget.leave(jobNo)
  if (run.stop?.kind !== 'leave') await guard.persist(() => deps.fulfilWish(jobNo))
  shelf.forget(jobNo)
}
