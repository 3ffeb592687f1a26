/**
 * Tells a server that is saturated from one that is not by how long its answers take, for servers that slow down and never refuse. Compares the
 * mean over a stretch of answers with the mean when few were in flight; a single answer says nothing, since their lengths differ. Pure.
 */
export interface Latency {
  /** The mean when the server was not saturated; `null`: not known yet. */
  readonly baselineMs: number | null
  /** How many were in flight then, on average. */
  readonly baselineAhead: number
  /** How many answers it was measured by. */
  readonly baselineAnswers: number
  /** Answers to requests sent before this time do not count for the current stretch. */
  readonly sinceMs: number
  readonly answers: number
  readonly sumMs: number
  readonly sumOfSquares: number
  /** In flight when each was sent, itself with them, summed up. */
  readonly sumAhead: number
}

/** What a stretch of answers says of the number of requests in flight. */
export type Verdict = 'unknown' | 'room' | 'enough' | 'too many'

const LEAST_ANSWERS = 16
/** The first mean is wanted before many are in flight. */
const FIRST_ANSWERS = 8
/** Below this ratio to the baseline there is room for more in flight, above the other there are too many. */
const ROOM_RATIO = 1.4
const TOO_MANY_RATIO = 1.75
/** Where too many were in flight, as many should be as make this ratio. */
export const AIM_RATIO = 1.55
/** Smaller differences are this process' own, not the server's. */
const OWN_MS = 50
/** A stretch that says "too many" must do so by this many standard errors. */
const SURE = 2
/** Up to this many times as many in flight are as few. */
const AS_FEW = 1.2
const FOLLOW = 0.3
/** A baseline that was measured by so many answers is not doubted until the next look. */
const FIRM_ANSWERS = 100

export const NO_LATENCY: Latency = Object.freeze({
  baselineMs: null,
  baselineAhead: 0,
  baselineAnswers: 0,
  sinceMs: Number.NEGATIVE_INFINITY,
  answers: 0,
  sumMs: 0,
  sumOfSquares: 0,
  sumAhead: 0,
})

/** After an answer that took `tookMs`; `ahead`: in flight when it was sent, itself with them. */
export function timed(state: Latency, sentAtMs: number, tookMs: number, ahead: number): Latency {
  if (sentAtMs < state.sinceMs) return state
  return {
    ...state,
    answers: state.answers + 1,
    sumMs: state.sumMs + tookMs,
    sumOfSquares: state.sumOfSquares + tookMs * tookMs,
    sumAhead: state.sumAhead + ahead,
  }
}

/** The mean of the current stretch, once it is long enough to mean something with so many in flight; `null`: not yet. */
export function meanOf(state: Latency, inFlight: number): number | null {
  const least = state.baselineMs === null ? FIRST_ANSWERS : Math.max(LEAST_ANSWERS, inFlight / 2)
  return state.answers < least ? null : state.sumMs / state.answers
}

/** How many were in flight in the current stretch, on average. */
export function aheadOf({ sumAhead, answers }: Latency): number {
  return answers === 0 ? 0 : sumAhead / answers
}

/** What the current stretch says. */
export function verdictOf(state: Latency, meanMs: number): Verdict {
  const { baselineMs, answers, sumOfSquares } = state
  if (baselineMs === null || meanMs - baselineMs < OWN_MS) return 'room'
  const error = Math.sqrt(Math.max(0, sumOfSquares / answers - meanMs * meanMs) / answers)
  if ((meanMs - error) / baselineMs < ROOM_RATIO) return 'room'
  if ((meanMs - SURE * error) / baselineMs > TOO_MANY_RATIO) return 'too many'
  return isAsFew(state) ? 'room' : 'enough'
}

/** Whether no more were in flight than when the baseline was measured, and that by few answers: then this is more of the same measurement. */
function isAsFew(state: Latency): boolean {
  return state.baselineAnswers < FIRM_ANSWERS && aheadOf(state) <= state.baselineAhead * AS_FEW
}

/** The stretch as a fleet judges it: by the mean that its workers have measured together, which is not this one's to doubt. */
export function withBaseline(state: Latency, baselineMs: number): Latency {
  return { ...state, baselineMs, baselineAnswers: FIRM_ANSWERS }
}

/** Begins a new stretch with requests sent from now on. The baseline follows what is faster; `rebase`: it becomes the mean. */
export function nextStretch(state: Latency, meanMs: number, nowMs: number, rebase = false): Latency {
  const { baselineMs, baselineAhead, baselineAnswers, answers } = state
  const next = { ...NO_LATENCY, sinceMs: nowMs, baselineAhead, baselineAnswers }
  if (baselineMs === null || rebase) {
    return { ...next, baselineMs: meanMs, baselineAhead: aheadOf(state), baselineAnswers: answers }
  }
  if (isAsFew(state)) {
    const all = baselineAnswers + answers
    return { ...next, baselineMs: (baselineMs * baselineAnswers + meanMs * answers) / all, baselineAnswers: all }
  }
  return { ...next, baselineMs: Math.min(baselineMs, baselineMs + FOLLOW * (meanMs - baselineMs)) }
}
