import type { Job, StateReason } from '../domain/job.ts'
import type { Price } from '../domain/money.ts'
import type { Spec } from '../domain/spec.ts'
import type { RowProgram } from '../row/row.ts'

/** A job as one worker works on it, in its current round. */
export interface JobRun {
  readonly job: Job
  readonly spec: Spec
  readonly columns: readonly string[]
  readonly program: RowProgram
  /** Per target, -1 being the spec's model and 0… its fallbacks. */
  readonly targets: ReadonlyMap<number, TargetRun>
  /** Where answers may be found and kept for reuse; `null`: nowhere. */
  readonly answerScope: string | null
  /** Rows of this job that went to a fallback, seen by this process and before it. */
  fallbackRows: number
  /** Ended rows seen by this process since it took the job up: for `pause_if`. */
  ended: { ok: number; failed: number }
  /** Set once: no more rows of this job are sent by this worker. */
  stop: StopOrder | null
}

export interface TargetRun {
  readonly modelId: string
  readonly account: string
  readonly price: Price | null
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

/** Whether one more row may go to this fallback: its share is of all rows of the job, and at least one row. */
export function fallbackAllowed(run: JobRun, fallbackIndex: number): boolean {
  const share = run.spec.model.fallback[fallbackIndex]?.maxShare ?? null
  return share === null || run.fallbackRows < Math.max(1, Math.floor(share * run.job.rowsTotal))
}
