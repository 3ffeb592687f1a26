import { type Concurrency, cut, grow, lowered, startConcurrency, withMax } from './concurrency.ts'
import { AIM_RATIO, aheadOf, type Latency, meanOf, NO_LATENCY, nextStretch, timed, verdictOf } from './latency.ts'

/**
 * How many requests an account may have in flight, by what answers and push-backs say: it grows while the limit is used and the server is not
 * saturated, and is lowered where answers take so long that more in flight only wait in line. Pure; times are ms of one clock.
 */
export interface Load {
  readonly concurrency: Concurrency
  readonly latency: Latency
  /** Answers take no longer than when few were in flight. */
  readonly room: boolean
  /** The limit and the mean before it was last lowered for slowness; `null`: that has been judged. */
  readonly before: { readonly ahead: number; readonly meanMs: number } | null
  /** When to look with fewer in flight whether the baseline still holds; `null`: slowness does not hold the limit. */
  readonly lookAtMs: number | null
  /** The limit to come back to when that look is over. */
  readonly afterLook: number | null
  /** There has been one. */
  readonly looked: boolean
}

export interface Answer {
  readonly sentAtMs: number
  readonly tookMs: number
  /** In flight when it came, itself among them. */
  readonly inFlight: number
  /** In flight when it was sent, itself among them. */
  readonly ahead: number
}

const FIRST_LOOK_MS = 10_000
const LOOK_EACH_MS = 60_000
/** A look has so much in flight of what just keeps the server busy. */
const LOOK_SHARE = 0.9
/** So few in flight, of those before, that it must show whether slowness comes of how many they are. */
const FEWER = 0.75
/** A look that finds the server faster by this was at a saturated one still. */
const MUCH_FASTER = 0.85

/** The state before anything was sent. */
export function startLoad(max: number): Load {
  const none = { before: null, lookAtMs: null, afterLook: null, looked: false }
  return { concurrency: startConcurrency(max), latency: NO_LATENCY, room: true, ...none }
}

/** After an answer. */
export function answered(load: Load, { sentAtMs, tookMs, inFlight, ahead }: Answer, nowMs: number): Load {
  const latency = timed(load.latency, sentAtMs, tookMs, ahead)
  const meanMs = meanOf(latency, inFlight)
  const timedLoad = { ...load, latency }
  if (meanMs !== null) return judged(timedLoad, meanMs, inFlight, nowMs)
  if (!load.room || load.afterLook !== null) return timedLoad
  return { ...timedLoad, concurrency: grow(load.concurrency, inFlight) }
}

/** A stretch is long enough to say something. */
function judged(load: Load, meanMs: number, inFlight: number, nowMs: number): Load {
  const { concurrency, latency, before } = load
  if (load.afterLook !== null) return lookedAt(load, load.afterLook, meanMs, nowMs)
  const ahead = aheadOf(latency)
  const fewer = before === null ? 1 : ahead / before.ahead
  // A saturated server is faster as fewer wait in line; one whose answers are long is not.
  if (before !== null && fewer <= FEWER && meanMs > (before.meanMs * (1 + fewer)) / 2) {
    return rebased(load, meanMs, nowMs)
  }
  const verdict = verdictOf(latency, meanMs)
  const next = { ...load, before: null, latency: nextStretch(latency, meanMs, nowMs) }
  if (verdict === 'room') return { ...next, room: true, lookAtMs: null, concurrency: grow(concurrency, inFlight) }
  const isUsed = inFlight >= concurrency.limit * 0.8
  if (!isUsed && verdict === 'too many') return rebased(load, meanMs, nowMs)
  const lookAtMs = load.lookAtMs ?? nowMs + FIRST_LOOK_MS
  if (verdict === 'too many') {
    const ratio = meanMs / (latency.baselineMs as number)
    const aim = lowered(concurrency, concurrency.limit * Math.max(0.5, AIM_RATIO / ratio))
    return { ...next, room: false, lookAtMs, concurrency: aim, before: { ahead, meanMs } }
  }
  if (nowMs < lookAtMs) return { ...next, room: false, lookAtMs }
  // The first look is a long one down: what was measured before may have been a saturated server already.
  const least = load.looked ? (LOOK_SHARE * (latency.baselineMs ?? meanMs)) / meanMs : 0.5
  return {
    ...next,
    room: false,
    lookAtMs,
    afterLook: concurrency.limit,
    concurrency: lowered(concurrency, concurrency.limit * least),
    // What was sent before the others had drained away waited for them.
    latency: { ...next.latency, sinceMs: nowMs + meanMs },
  }
}

/** The end of a look: with half in flight the server was not saturated, and this is how long its answers take. */
function lookedAt(load: Load, limit: number, meanMs: number, nowMs: number): Load {
  const latency = nextStretch(load.latency, meanMs, nowMs, true)
  const concurrency = { ...load.concurrency, limit: Math.min(limit, load.concurrency.max) }
  const looked = meanMs > MUCH_FASTER * (load.latency.baselineMs ?? meanMs)
  const lookAtMs = nowMs + (looked ? LOOK_EACH_MS : FIRST_LOOK_MS)
  return { ...load, concurrency, latency, afterLook: null, looked, lookAtMs }
}

/** Answers take longer for reasons of their own. */
function rebased(load: Load, meanMs: number, nowMs: number): Load {
  return {
    ...load,
    latency: nextStretch(load.latency, meanMs, nowMs, true),
    concurrency: { ...load.concurrency, slowStart: true },
    room: true,
    before: null,
    lookAtMs: null,
  }
}

/** After a push-back for a request sent at `sentAtMs`. */
export function pushedBack(load: Load, sentAtMs: number, nowMs: number): Load {
  return { ...load, concurrency: cut(load.concurrency, sentAtMs, nowMs), afterLook: null }
}

/** After an outage has ended: what it was refused says nothing of how much may be in flight, and the way back is quick. */
export function cameBack(load: Load): Load {
  const concurrency = { ...load.concurrency, slowStart: true }
  return { ...load, concurrency, room: true, before: null, lookAtMs: null, afterLook: null }
}

/** Another maximum, from `sluice set` or a new spec. */
export function withMaxLoad(load: Load, max: number): Load {
  return { ...load, concurrency: withMax(load.concurrency, max) }
}
