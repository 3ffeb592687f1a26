/**
 * How many requests one account may have in flight, as a pure state machine: slow start by doubling until the provider first pushes back,
 * then additive increase, multiplicative decrease. One push-back cuts once: what was already in flight when the cut was made says nothing new.
 */
export interface Concurrency {
  readonly limit: number
  readonly max: number
  /** Doubling still; ends with the first cut. */
  readonly slowStart: boolean
  /** Successes since the limit last grew. */
  readonly credit: number
  /** Requests sent before this time cannot cut again. */
  readonly cutAtMs: number
}

export const START_LIMIT = 4
export const CUT_FACTOR = 0.7

/** The state before anything was sent. */
export function startConcurrency(max: number): Concurrency {
  return { limit: Math.min(START_LIMIT, max), max, slowStart: true, credit: 0, cutAtMs: Number.NEGATIVE_INFINITY }
}

/** Whether the limit was what held it up, or nearly so. */
export function isUsed({ limit }: Concurrency, inFlight: number): boolean {
  return inFlight >= limit * 0.8
}

/** After an answer: grows by one per `limit` answers (doubles in slow start), but only while the limit was really used. */
export function grow(state: Concurrency, inFlight: number): Concurrency {
  if (state.limit >= state.max || !isUsed(state, inFlight)) return state
  const credit = state.credit + 1
  if (state.slowStart) {
    // Each answer admits one more: the limit doubles once per round trip.
    return { ...state, limit: Math.min(state.max, state.limit + 1), credit: 0 }
  }
  return credit >= state.limit ? { ...state, limit: state.limit + 1, credit: 0 } : { ...state, credit }
}

/**
 * After a stretch of so many answers that shows room: twice as many in slow start, else as `grow` after each of them; only while the limit was
 * really used.
 */
export function stepUp(state: Concurrency, inFlight: number, answers: number): Concurrency {
  const { limit, max, slowStart } = state
  if (limit >= max || !isUsed(state, inFlight)) return state
  const more = slowStart ? limit : Math.max(1, Math.round(Math.sqrt(limit * limit + 2 * answers) - limit))
  return { ...state, limit: Math.min(max, limit + more), credit: 0 }
}

/** After a push-back for a request sent at `sentAtMs`: cuts, unless that request was sent before the last cut. */
export function cut(state: Concurrency, sentAtMs: number, nowMs: number): Concurrency {
  if (sentAtMs <= state.cutAtMs) return state
  return {
    ...state,
    limit: Math.max(1, Math.floor(state.limit * CUT_FACTOR)),
    slowStart: false,
    credit: 0,
    cutAtMs: nowMs,
  }
}

/** Fewer at once, though nobody pushed back. */
export function lowered(state: Concurrency, limit: number): Concurrency {
  return { ...state, limit: Math.max(1, Math.min(state.limit, Math.floor(limit))), slowStart: false, credit: 0 }
}

/** Another maximum, from `sluice set` or a new spec. */
export function withMax(state: Concurrency, max: number): Concurrency {
  return { ...state, max, limit: Math.min(state.limit, max) }
}
