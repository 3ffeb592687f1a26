import type { LimitKind } from './demand.ts'
import { MINUTE_MS } from './demand.ts'

/**
 * One limit of an account, as two levels that are drawn from together. `paced` is what may be sent this moment: a second's worth at the most,
 * so that sending is smooth and no window's edge sees a burst. `level` is what the provider's own bucket likely holds: a window's worth at the
 * most, set right whenever the provider says so. Pure; times are ms of any clock that does not go back.
 */
export interface Bucket {
  readonly kind: LimitKind
  readonly windowMs: number
  /** Per window; above 0. */
  readonly limit: number
  readonly paced: number
  readonly level: number
  /** When `level` was last known from the provider rather than counted; `null`: never. */
  readonly knownAtMs: number | null
  readonly atMs: number
}

/** How much may go out at once, as time at full speed. One request may always go. */
export const BURST_MS = 1_000
/** Below this share of a window the sending slows down, and leaves room for what was counted wrong and for others on the account. */
const RESERVE = 0.03
/** The slowest that a reserve which is being rebuilt lets through, as a share of full speed. */
const SLOWEST = 0.25
/** Where the provider says that more is left than a plain rate leaves, what a stall has cost is made up for at this much above full speed. */
const CATCH_UP = 0.03
/** A word of the provider's counts as its present word for so long. */
const FRESH_MS = 30_000

/** A limit that nothing was drawn from. */
export function fullBucket(kind: LimitKind, windowMs: number, limit: number, nowMs: number): Bucket {
  const bucket = { kind, windowMs, limit, paced: 0, level: limit, knownAtMs: null, atMs: nowMs }
  return { ...bucket, paced: burstOf(bucket) }
}

/** Limits over longer windows than a minute are there to be used up, not to be spread over the day. */
export function isPaced(bucket: Pick<Bucket, 'windowMs'>): boolean {
  return bucket.windowMs <= MINUTE_MS
}

/** Per ms, at full speed. */
export function rateOf(bucket: Pick<Bucket, 'limit' | 'windowMs'>): number {
  return bucket.limit / bucket.windowMs
}

/** The most that `paced` holds. */
export function burstOf(bucket: Pick<Bucket, 'kind' | 'limit' | 'windowMs'>): number {
  const worth = rateOf(bucket) * BURST_MS
  return bucket.kind === 'requests' ? Math.max(1, worth) : worth
}

/** How fast `paced` refills now, as a share of full speed: slower near the provider's empty bucket, a little faster where it says that much is left. */
export function speedOf(bucket: Bucket, nowMs: number): number {
  const share = bucket.level / bucket.limit
  if (share < RESERVE) return Math.max(SLOWEST, share / RESERVE)
  if (bucket.knownAtMs === null || nowMs - bucket.knownAtMs > FRESH_MS) return 1
  return 1 + CATCH_UP * Math.min(1, (share - RESERVE) / (2 * RESERVE))
}

/** How long the reserve still takes to be whole, in ms: for so long, `paced` refills at the speed of now at least, and at full speed after. */
function slowMsOf(bucket: Bucket): number {
  return Math.max(0, (bucket.limit * RESERVE - bucket.level) / rateOf(bucket))
}

/** The bucket at `nowMs`. */
export function refilled(bucket: Bucket, nowMs: number): Bucket {
  const passedMs = nowMs - bucket.atMs
  if (passedMs <= 0) return bucket
  const rate = rateOf(bucket)
  return {
    ...bucket,
    paced: Math.min(burstOf(bucket), bucket.paced + inflow(bucket, passedMs)),
    level: Math.min(bucket.limit, bucket.level + rate * passedMs),
    atMs: nowMs,
  }
}

/** What flows into `paced` in the next `ms`. */
function inflow(bucket: Bucket, ms: number): number {
  const slowMs = Math.min(ms, slowMsOf(bucket))
  const speed = speedOf(bucket, bucket.atMs)
  return rateOf(bucket) * (slowMs === 0 ? ms * speed : slowMs * speed + ms - slowMs)
}

/** In how many ms `amount` has flowed into `paced`. */
function timeFor(bucket: Bucket, amount: number): number {
  const rate = rateOf(bucket)
  const slowMs = slowMsOf(bucket)
  const speed = speedOf(bucket, bucket.atMs)
  const atThisSpeed = amount / (rate * speed)
  return slowMs === 0 || atThisSpeed <= slowMs ? atThisSpeed : slowMs + (amount - rate * speed * slowMs) / rate
}

/** In how many ms a request of this size may go; 0: now. To be asked of a bucket that is refilled. What is larger than a full bucket goes when it is full. */
export function waitOf(bucket: Bucket, amount: number): number {
  const rate = rateOf(bucket)
  const forLevel = (Math.min(amount, bucket.limit) - bucket.level) / rate
  const forPace = isPaced(bucket) ? timeFor(bucket, Math.min(amount, burstOf(bucket)) - bucket.paced) : 0
  const wait = Math.max(0, forLevel, forPace)
  // What a sum of fractions is off by is no reason to wait.
  return wait < 1e-6 ? 0 : wait
}

/** The same where sending is paced elsewhere: in how many ms the provider's own bucket has enough. */
export function levelWaitOf(bucket: Bucket, amount: number): number {
  const wait = (Math.min(amount, bucket.limit) - bucket.level) / rateOf(bucket)
  return wait < 1e-6 ? 0 : wait
}

/** After `amount` was drawn; a negative amount gives back. */
export function drawn(bucket: Bucket, amount: number): Bucket {
  return {
    ...bucket,
    paced: Math.min(burstOf(bucket), bucket.paced - amount),
    level: Math.min(bucket.limit, bucket.level - amount),
  }
}

/** With another limit: what is left stays left, as far as the new limit holds it. */
export function withLimit(bucket: Bucket, limit: number): Bucket {
  if (limit === bucket.limit) return bucket
  const changed = { ...bucket, limit, level: Math.min(limit, bucket.level) }
  return { ...changed, paced: Math.min(burstOf(changed), bucket.paced) }
}

/** With what is left as of now. `isKnown`: the provider says so of this very limit. */
export function withLevel(bucket: Bucket, level: number, isKnown: boolean): Bucket {
  return { ...bucket, level: Math.min(bucket.limit, level), knownAtMs: isKnown ? bucket.atMs : bucket.knownAtMs }
}
