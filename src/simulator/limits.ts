import type { LimitHit, LimitState, LimitStates } from './ask.ts'

/** What an account may send; `null`: as much as it likes. */
export interface SimulatedLimits {
  /** Requests per minute. */
  readonly rpm: number | null
  /** Tokens per minute. */
  readonly tpm: number | null
  /** Requests that are worked on at once; one more is turned away as overload, as a server of one's own does. */
  readonly concurrency: number | null
  /** Limits that change while it runs. @default none */
  readonly changes?: readonly LimitChange[]
}

/** Other limits from some time after the first request on; what is absent stays. */
export interface LimitChange {
  readonly afterMs: number
  readonly rpm?: number
  readonly tpm?: number
}

export interface Limits {
  /** Takes one request and its tokens, or says which limit stands in the way; then nothing is taken. */
  admit(tokens: number): LimitHit | null
  /** Whether one more may be worked on now. */
  hasRoom(): boolean
  /** Takes a place among those worked on until `untilMs`. */
  occupy(untilMs: number): void
  states(): LimitStates
}

interface Bucket {
  limit: number
  level: number
  atMs: number
}

const MINUTE_MS = 60_000

/** Token buckets that hold a minute's worth and are refilled continuously, full at the start. Time comes from `nowMs` alone. */
export function createLimits(options: SimulatedLimits, nowMs: () => number): Limits {
  const requests = bucketOf(options.rpm, nowMs())
  const tokens = bucketOf(options.tpm, nowMs())
  const changes = (options.changes ?? []).toSorted((a, b) => a.afterMs - b.afterMs)
  let firstAtMs: number | null = null
  let busyUntilMs: number[] = []
  const follow = (now: number) => {
    firstAtMs ??= now
    while (changes[0] !== undefined && now - firstAtMs >= changes[0].afterMs) {
      const { rpm, tpm } = changes.shift() as LimitChange
      setLimit(requests, rpm, now)
      setLimit(tokens, tpm, now)
    }
  }
  return Object.freeze({
    admit: (wanted: number) => {
      const now = nowMs()
      follow(now)
      const hit = hitOf(requests, 'requests', 1, now) ?? hitOf(tokens, 'tokens', wanted, now)
      if (hit !== null) return hit
      if (requests !== null) requests.level -= 1
      if (tokens !== null) tokens.level -= wanted
      return null
    },
    hasRoom: () => {
      if (options.concurrency === null) return true
      const now = nowMs()
      busyUntilMs = busyUntilMs.filter((until) => until > now)
      return busyUntilMs.length < options.concurrency
    },
    occupy: (untilMs: number) => {
      if (options.concurrency !== null) busyUntilMs.push(untilMs)
    },
    states: () => {
      const now = nowMs()
      return { nowMs: now, requests: stateOf(requests, now), tokens: stateOf(tokens, now) }
    },
  })
}

function bucketOf(limit: number | null, nowMs: number): Bucket | null {
  return limit === null ? null : { limit, level: limit, atMs: nowMs }
}

function setLimit(bucket: Bucket | null, limit: number | undefined, nowMs: number): void {
  if (bucket === null || limit === undefined) return
  refill(bucket, nowMs)
  bucket.limit = limit
  bucket.level = Math.min(limit, bucket.level)
}

function refill(bucket: Bucket, nowMs: number): void {
  bucket.level = Math.min(bucket.limit, bucket.level + ((nowMs - bucket.atMs) * bucket.limit) / MINUTE_MS)
  bucket.atMs = nowMs
}

function hitOf(bucket: Bucket | null, scope: 'requests' | 'tokens', wanted: number, nowMs: number): LimitHit | null {
  if (bucket === null) return null
  refill(bucket, nowMs)
  if (wanted <= bucket.level) return null
  const missing = wanted - bucket.level
  return {
    scope,
    limit: bucket.limit,
    used: Math.ceil(bucket.limit - bucket.level),
    requested: wanted,
    retryAfterMs: wanted > bucket.limit ? null : (missing * MINUTE_MS) / bucket.limit,
  }
}

function stateOf(bucket: Bucket | null, nowMs: number): LimitState | null {
  if (bucket === null) return null
  refill(bucket, nowMs)
  return {
    limit: bucket.limit,
    remaining: Math.max(0, Math.floor(bucket.level)),
    fullInMs: ((bucket.limit - bucket.level) * MINUTE_MS) / bucket.limit,
  }
}
