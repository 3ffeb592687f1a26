import type { Job, JobSettings, JobState, StateReason } from '../domain/job.ts'
import type { Price } from '../domain/money.ts'
import type { Route } from '../domain/route.ts'
import type { BatchSpec, Spec } from '../domain/spec.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { TenantCaps } from '../domain/tenant.ts'
import { NO_LIMITS, smallest } from '../limit/demand.ts'
import { flexAccount } from '../limit/flex-account.ts'
import type { Ceiling, Governor } from '../limit/governor.ts'
import { chunkMessages } from '../queue/chunk-messages.ts'
import type { NewMessage, Queue } from '../queue/queue.ts'
import type { RowProgram } from '../row/row.ts'
import type { Store } from '../store/store.ts'

/** States in which rows of a job may be worked on. */
export const WORKABLE: ReadonlySet<JobState> = new Set<JobState>(['queued', 'running'])

/** A job as one worker works on it, in its current round. */
export interface JobRun {
  readonly job: Job
  /** When the job's current round began: its creation, or the latest retry. */
  readonly roundBeganMs: number
  readonly spec: Spec
  /** As they were last read. */
  settings: JobSettings
  /** What its tenant may use, as it was last read; absent: whatever it likes. */
  caps?: TenantCaps
  readonly columns: readonly string[]
  readonly program: RowProgram
  /** Per target, -1 being the spec's model and 0… its fallbacks. */
  readonly targets: ReadonlyMap<number, TargetRun>
  /** How it goes by batch; `null`: every request goes live. */
  readonly batch: BatchSpec | null
  /** Which way its rows go now, as it was last read; `null`: as the lane of its spec says. */
  route: Route | null
  /** Why no request of it goes as flex any more, whatever its route says; absent: nothing speaks against it. */
  noFlex?: string
  /** Where answers may be found and kept for reuse; `null`: nowhere. */
  readonly answerScope: string | null
  /** Rows of this job that went to a fallback, seen by this process and before it. */
  fallbackRows: number
  /** Ended rows seen by this process since it took the job up: for `pause_if`. */
  ended: { readonly ok: number; readonly failed: number }
  /** Set once: no more rows of this job are sent by this worker. */
  stop: StopOrder | null
}

/** A model of a job, and what it charges for a request of the live lane. */
export interface TargetRun extends Rate {
  readonly modelId: string
  readonly account: string
  /** The shortest prefix of a prompt, in tokens, that its provider keeps for requests to come. */
  readonly cachesFrom: number
  /** What a request costs that goes by batch; `null`: the provider has no batch API for it, or the job does not use it. */
  readonly batch: Rate | null
  /** What a request costs that goes as flex; `null`: the provider does not offer it, or the job does not use it. */
  readonly flex: Rate | null
}

/** What a lane charges. */
export interface Rate {
  readonly price: Price | null
  /** The price's number in the store; `null`: it is unknown. */
  readonly priceNo: number | null
}

/** Why a worker stops working on a job. */
export interface StopOrder {
  /** `wish`: somebody asked, and it is written down · `own`: this worker found a reason, which it must write down · `leave`: this process ends. */
  readonly kind: 'wish' | 'own' | 'leave'
  readonly reason: StateReason | null
  readonly detail: string | null
}

/** Stops the run once; later orders change nothing, except that leaving never hides a reason. */
export function order(run: JobRun, stop: StopOrder): void {
  if (run.stop === null || (run.stop.kind === 'leave' && stop.kind !== 'leave')) run.stop = stop
}

/**
 * Puts into force what these jobs allow the accounts that they use: of several jobs of a tenant on one account, the least that any of them says; of
 * several tenants, the concurrency of the one that says most, since no tenant may slow down the others.
 */
export function applyCeilings(governor: Governor, runs: Iterable<JobRun>): void {
  const ceilings = new Map<string, Map<number, Ceiling>>()
  const asFlex = new Set<string>()
  for (const { job, spec, settings, targets } of runs) {
    const { concurrency, limits } = spec.execution
    const own = { concurrency: settings.concurrency ?? concurrency.max, limits: limits ?? NO_LIMITS }
    for (const { account, flex } of targets.values()) {
      const ofTenants = ceilings.get(account) ?? new Map<number, Ceiling>()
      const other = ofTenants.get(job.tenantNo)
      ceilings.set(account, ofTenants.set(job.tenantNo, other === undefined ? own : lower(own, other)))
      if (flex !== null) asFlex.add(account)
    }
  }
  for (const [account, ofTenants] of ceilings) {
    const ceiling = [...ofTenants.values()].reduce(together)
    governor.bound(account, ceiling)
    if (asFlex.has(account)) governor.bound(flexAccount(account), ceiling)
  }
}

function lower(a: Ceiling, b: Ceiling): Ceiling {
  return { concurrency: Math.min(a.concurrency, b.concurrency), limits: smallest(a.limits, b.limits) }
}

function together(a: Ceiling, b: Ceiling): Ceiling {
  return { concurrency: Math.max(a.concurrency, b.concurrency), limits: smallest(a.limits, b.limits) }
}

/** Whether one more row may go to this fallback: its share is of all rows of the job, and at least one row. */
export function fallbackAllowed(run: JobRun, fallbackIndex: number): boolean {
  const share = run.spec.model.fallback[fallbackIndex]?.maxShare ?? null
  return share === null || run.fallbackRows < Math.max(1, Math.floor(share * run.job.rowsTotal))
}

/** Counts ended rows for `pause_if`, and stops the run where too many have failed. */
export function watchErrorRate(run: JobRun, ok: number, failed: number): void {
  run.ended = { ok: run.ended.ok + ok, failed: run.ended.failed + failed }
  const rule = run.spec.pauseIf
  const ended = run.ended.ok + run.ended.failed
  if (rule === null || ended < rule.afterRows || run.ended.failed / ended <= rule.failedOver) return
  const share = Math.floor((run.ended.failed / ended) * 1000) / 10
  const detail = `${run.ended.failed} of ${ended} rows failed (${share} %), over pause_if.failed_over`
  order(run, { kind: 'own', reason: 'error_rate', detail })
}

/** Lets the job's next chunk into the queue, in place of one that has ended. Part of the transaction that ends it. */
export async function enqueueNext({ store, queue }: Seams, tx: StoreTx, { job, spec }: JobRun): Promise<void> {
  const { refs, priority } = await store.chunks.nextReady(tx, job.jobNo, 1)
  await queue.enqueue(tx, chunkMessages(refs, job.tenantNo, priority ?? spec.priority))
}

interface Seams {
  readonly store: Pick<Store, 'chunks'>
  readonly queue: Pick<Queue, 'enqueue'>
}

/** Asks for the end of the run's round. */
export function finalizeMessage({ job }: JobRun): NewMessage {
  return {
    task: { kind: 'finalize', jobNo: job.jobNo, round: job.round },
    tenantNo: job.tenantNo,
    priority: 'high',
  }
}
