import { type Concurrency, cut, grow, isUsed, lowered, startConcurrency, stepUp, withMax } from './concurrency.ts'
import {
  AIM_RATIO,
  aheadOf,
  type Latency,
  meanOf,
  NO_LATENCY,
  nextStretch,
  timed,
  verdictOf,
  withBaseline,
} from './latency.ts'

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
  /** How long answers take when the server is not saturated, and when that was measured here; `null`: it has not been. */
  readonly measured: Measured | null
  /** Among others: slowness has held it since its last look. */
  readonly held: boolean
}

/** How long answers were measured to take when few were in flight. */
export interface Measured {
  readonly ms: number
  readonly atMs: number
  /** Of those who use the server together all looked at that moment, or nobody else is known: it may be more than was thought. */
  readonly byAll: boolean
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
/** Who uses a server together looks more often: one who has just come, or was not there, is in the way of the others' look. */
const FLEET_LOOK_EACH_MS = 30_000
/** A fleet's measure that has risen by this says that the answers themselves take longer. */
const RISEN = 1.3
/** A look has so much in flight of what just keeps the server busy. */
const LOOK_SHARE = 0.9
/** The first look of one among others goes further down: they may all have measured a line that was long already. */
const FIRST_LOOK_SHARE = 0.3
/** So few in flight, of those before, that it must show whether slowness comes of how many they are. */
const FEWER = 0.75
/** A look that finds the server faster by this was at a saturated one still. */
const MUCH_FASTER = 0.85

/** The state before anything was sent. */
export function startLoad(max: number): Load {
  const none = { before: null, lookAtMs: null, afterLook: null, looked: false, measured: null, held: false }
  return { concurrency: startConcurrency(max), latency: NO_LATENCY, room: true, ...none }
}

/**
 * After an answer. `fleetMs`: how long others who use the same server have measured that answers take when it is not saturated; `null`: this
 * process has it for itself, as far as it knows.
 */
export function answered(load: Load, answer: Answer, nowMs: number, fleetMs: number | null = null): Load {
  const { sentAtMs, tookMs, inFlight, ahead } = answer
  const latency = timed(load.latency, sentAtMs, tookMs, ahead)
  const meanMs = meanOf(latency, inFlight)
  const timedLoad = { ...load, latency }
  if (fleetMs !== null) return answeredAmongOthers(timedLoad, meanMs, inFlight, nowMs, fleetMs)
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
  const measured = latency.baselineMs === null ? { ms: meanMs, atMs: nowMs, byAll: true } : load.measured
  const next = { ...load, before: null, latency: nextStretch(latency, meanMs, nowMs), measured }
  if (verdict === 'room') return { ...next, room: true, lookAtMs: null, concurrency: grow(concurrency, inFlight) }
  if (!isUsed(concurrency, inFlight) && verdict === 'too many') return rebased(load, meanMs, nowMs)
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

/**
 * Where others use the same server, what one changes shows nothing: they fill what it leaves. So nobody takes a new baseline by himself, and all
 * who have been held up look at the same time, by the clock. Growth comes by whole stretches: a newcomer's rush would be in the way of all.
 */
function answeredAmongOthers(
  load: Load,
  meanMs: number | null,
  inFlight: number,
  nowMs: number,
  fleetMs: number,
): Load {
  const { afterLook, lookAtMs } = load
  if (afterLook !== null) return meanMs === null ? load : lookedWithOthers(load, afterLook, meanMs, nowMs)
  const state = measuredBy(load, fleetMs)
  if (lookAtMs !== null && nowMs >= lookAtMs) return lookWith(state, meanMs ?? fleetMs, nowMs)
  if (meanMs === null) return state
  const { concurrency, latency } = state
  const verdict = verdictOf(latency, meanMs)
  const next = { ...state, before: null, latency: nextStretch(latency, meanMs, nowMs) }
  // What is not used up by this process is not held up by how many it may have in flight.
  if (verdict === 'room' || !isUsed(concurrency, inFlight)) {
    return { ...next, room: true, concurrency: stepUp(concurrency, inFlight, latency.answers) }
  }
  const aim = verdict === 'enough' ? 1 : Math.max(0.5, (AIM_RATIO * fleetMs) / meanMs)
  return {
    ...next,
    room: false,
    held: true,
    lookAtMs: lookAtMs ?? nextTurn(nowMs, turnOf(load)),
    concurrency: lowered(concurrency, concurrency.limit * aim),
  }
}

/** Takes the fleet's measure over. Where that has risen, what had been taken for a line was how long answers take now. */
function measuredBy(load: Load, fleetMs: number): Load {
  const isSlower = fleetMs > RISEN * (load.latency.baselineMs ?? fleetMs)
  const concurrency = isSlower ? { ...load.concurrency, slowStart: true } : load.concurrency
  return { ...load, concurrency, latency: withBaseline(load.latency, fleetMs) }
}

/** The end of a look that others took as well, or not. */
function lookedWithOthers(load: Load, limit: number, meanMs: number, nowMs: number): Load {
  const byAll = (load.lookAtMs ?? 0) % FLEET_LOOK_EACH_MS === 0
  const seen = lookedAt(load, limit, meanMs, nowMs)
  // It looks once more with the others than it would for itself.
  const lookAtMs = load.held ? nextTurn(nowMs, turnOf(seen)) : null
  return { ...seen, held: false, lookAtMs, measured: { ms: meanMs, atMs: nowMs, byAll } }
}

function turnOf({ looked }: Load): number {
  return looked ? FLEET_LOOK_EACH_MS : FIRST_LOOK_MS
}

/** Fewer in flight for a while than keep the server busy, if all who use it do the same. */
function lookWith(load: Load, meanMs: number, nowMs: number): Load {
  const { concurrency, latency } = load
  const share = Math.min(load.looked ? 0.5 : FIRST_LOOK_SHARE, (LOOK_SHARE * (latency.baselineMs ?? meanMs)) / meanMs)
  return {
    ...load,
    room: false,
    afterLook: concurrency.limit,
    concurrency: lowered(concurrency, concurrency.limit * share),
    latency: { ...nextStretch(latency, meanMs, nowMs), sinceMs: nowMs + meanMs },
  }
}

/** The next time that is a multiple of `eachMs`: the same for all whose clocks agree. */
function nextTurn(nowMs: number, eachMs: number): number {
  return (Math.floor(nowMs / eachMs) + 1) * eachMs
}

/** The end of a look: with half in flight the server was not saturated, and this is how long its answers take. */
function lookedAt(load: Load, limit: number, meanMs: number, nowMs: number): Load {
  const latency = nextStretch(load.latency, meanMs, nowMs, true)
  const concurrency = { ...load.concurrency, limit: Math.min(limit, load.concurrency.max) }
  const looked = meanMs > MUCH_FASTER * (load.latency.baselineMs ?? meanMs)
  const lookAtMs = nowMs + (looked ? LOOK_EACH_MS : FIRST_LOOK_MS)
  const measured = { ms: meanMs, atMs: nowMs, byAll: true }
  return { ...load, concurrency, latency, afterLook: null, looked, lookAtMs, measured }
}

/** Answers take longer for reasons of their own. */
function rebased(load: Load, meanMs: number, nowMs: number): Load {
  return {
    ...load,
    latency: nextStretch(load.latency, meanMs, nowMs, true),
    measured: { ms: meanMs, atMs: nowMs, byAll: true },
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
