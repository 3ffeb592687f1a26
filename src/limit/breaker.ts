import type { Cause } from '../domain/failure.ts'

/**
 * Tells a provider that is out from the bad luck of single rows: a run of failures with no success between them. While it stands open, failures
 * use up nothing and one request at a time probes. Pure.
 */
export interface Breaker {
  readonly failuresInARow: number
  /** Of these the last ones that were refusals: the provider is there, and turns everything away. */
  readonly refusalsInARow: number
  /** When the current run of failures began. */
  readonly sinceMs: number | null
  readonly open: boolean
  /** Of the last failure; `null`: there is none. */
  readonly cause: Cause | null
}

/** This many failures in a row, over at least `OUTAGE_SPAN_MS`, are an outage. */
export const OUTAGE_FAILURES = 16
export const OUTAGE_SPAN_MS = 2_000
/** Or this many refusals, over a longer time: they come slowly where the provider asks to wait. */
const REFUSALS = 4
const REFUSALS_SPAN_MS = 10_000
/** A provider that cannot be reached for so long pauses the job with `provider_down`. */
export const OUTAGE_PATIENCE_MS = 300_000
/** One that is there and refuses everything does so sooner: within the minute, the beat that notices included. */
export const REFUSAL_PATIENCE_MS = 40_000

export const CLOSED: Breaker = Object.freeze({
  failuresInARow: 0,
  refusalsInARow: 0,
  sinceMs: null,
  open: false,
  cause: null,
})

const REFUSED: ReadonlySet<Cause> = new Set<Cause>(['rate_limited', 'overloaded'])

/** After a failure that speaks of the provider and not of the row. */
export function failed(state: Breaker, cause: Cause, nowMs: number): Breaker {
  const sinceMs = state.sinceMs ?? nowMs
  const failuresInARow = state.failuresInARow + 1
  const refusalsInARow = REFUSED.has(cause) ? state.refusalsInARow + 1 : 0
  const spanMs = nowMs - sinceMs
  const opens =
    (failuresInARow >= OUTAGE_FAILURES && spanMs >= OUTAGE_SPAN_MS) ||
    (refusalsInARow >= REFUSALS && spanMs >= REFUSALS_SPAN_MS)
  return { failuresInARow, refusalsInARow, sinceMs, open: state.open || opens, cause }
}

/** Whether refusals come one after the other, with no answer between them. */
export function isRefusing(state: Breaker): boolean {
  return state.refusalsInARow >= REFUSALS
}

/** Whether a failure now is more likely the provider's than the row's: from the sixteenth in a row on, before the breaker stands open. */
export function speaksOfOutage(state: Breaker): boolean {
  return state.open || state.failuresInARow >= OUTAGE_FAILURES
}

/** For how long the provider has been out, where that has outlasted all patience; `null`: it is there, or may come back. */
export function downFor(state: Breaker, nowMs: number, refusalPatienceMs = REFUSAL_PATIENCE_MS): number | null {
  if (!state.open || state.sinceMs === null) return null
  const forMs = nowMs - state.sinceMs
  return forMs >= (isRefusing(state) ? refusalPatienceMs : OUTAGE_PATIENCE_MS) ? forMs : null
}
