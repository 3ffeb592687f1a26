/**
 * Tells an outage of a provider from the bad luck of single rows: a run of failures with no success between them. While it stands open, failures
 * use up nothing and one request at a time probes. Pure.
 */
export interface Breaker {
  readonly failuresInARow: number
  /** When the current run of failures began. */
  readonly sinceMs: number | null
  readonly open: boolean
}

/** This many failures in a row, over at least `OUTAGE_SPAN_MS`, are an outage. */
export const OUTAGE_FAILURES = 16
export const OUTAGE_SPAN_MS = 2_000
/** An outage that lasts this long pauses the job with `provider_down`. */
export const OUTAGE_PATIENCE_MS = 300_000

export const CLOSED: Breaker = Object.freeze({ failuresInARow: 0, sinceMs: null, open: false })

/** After a failure that speaks of the provider and not of the row. */
export function failed(state: Breaker, nowMs: number): Breaker {
  const sinceMs = state.sinceMs ?? nowMs
  const failuresInARow = state.failuresInARow + 1
  return {
    failuresInARow,
    sinceMs,
    open: state.open || (failuresInARow >= OUTAGE_FAILURES && nowMs - sinceMs >= OUTAGE_SPAN_MS),
  }
}

/** Whether a failure now is more likely the provider's than the row's: from the sixteenth in a row on, before the breaker stands open. */
export function speaksOfOutage(state: Breaker): boolean {
  return state.open || state.failuresInARow >= OUTAGE_FAILURES
}

/** Whether the outage has outlasted all patience. */
export function isDown(state: Breaker, nowMs: number): boolean {
  return state.open && state.sinceMs !== null && nowMs - state.sinceMs >= OUTAGE_PATIENCE_MS
}
