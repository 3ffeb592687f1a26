import type { Counters } from './job.ts'
import type { NanoUsd } from './money.ts'

/** From when on those are told who want to hear that a job goes wrong; `null`: never. */
export interface AlertsSpec {
  /** Share of failed among ended rows, 0..1. */
  readonly failedOver: number | null
  /** Share of rows that needed more than one counted attempt, among ended rows, 0..1. */
  readonly retriesOver: number | null
  /** The job's deadline, or so many ms after its round began. */
  readonly runningOver: 'deadline' | number | null
  /** By which share the job may cost more than its plan expects; 0.2 is a fifth more. */
  readonly costOverPlan: number | null
}

export const ALERTS_BY_DEFAULT: AlertsSpec = Object.freeze({
  failedOver: 0.05,
  retriesOver: null,
  runningOver: 'deadline',
  costOverPlan: 0.2,
})

export type AlertRule = 'failed_over' | 'retries_over' | 'running_over' | 'cost_over_plan'

/** A rule that a job has broken. Shares are fractions; of `running_over` both are ms since its round began. */
export interface Alert {
  readonly rule: AlertRule
  readonly value: number
  readonly threshold: number
}

/** What is known of a job's round at a moment. */
export interface AlertsSeen {
  readonly counters: Pick<Counters, 'succeeded' | 'failed' | 'retried'>
  /** Time since its round began, ms. */
  readonly runningMs: number
  /** From the begin of its round to its deadline, ms; absent: it has none. */
  readonly deadlineMs?: number
  /** The least that it is likely to cost, and what its plan expects; `null`: nobody can say. */
  readonly projectedNano: NanoUsd | null
  readonly plannedNano: NanoUsd | null
}

/** Before so many rows have ended their shares say nothing. */
export const TELLING_ROWS = 100

/** The rules that a job breaks at a moment, whether somebody was told of them before or not. */
export function alertsIn(alerts: AlertsSpec, seen: AlertsSeen): readonly Alert[] {
  const { succeeded, failed, retried } = seen.counters
  const ended = succeeded + failed
  const shareOf = (rows: number) => (ended < TELLING_ROWS ? null : rows / ended)
  const latest = alerts.runningOver === 'deadline' ? (seen.deadlineMs ?? null) : alerts.runningOver
  return [
    ...broken('failed_over', shareOf(failed), alerts.failedOver),
    ...broken('retries_over', shareOf(retried), alerts.retriesOver),
    ...broken('running_over', seen.runningMs, latest),
    ...broken('cost_over_plan', variance(seen), alerts.costOverPlan),
  ]
}

function broken(rule: AlertRule, value: number | null, threshold: number | null): readonly Alert[] {
  return value === null || threshold === null || value <= threshold ? [] : [{ rule, value, threshold }]
}

function variance({ projectedNano, plannedNano }: AlertsSeen): number | null {
  return projectedNano === null || plannedNano === null || plannedNano <= 0 ? null : projectedNano / plannedNano - 1
}
