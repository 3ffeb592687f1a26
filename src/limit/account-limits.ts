import type { LimitSignal, LimitWindow } from '../domain/limit-signal.ts'
import {
  type Bucket,
  drawn,
  fullBucket,
  isPaced,
  levelWaitOf,
  rateOf,
  refilled,
  speedOf,
  waitOf,
  withLevel,
  withLimit,
} from './bucket.ts'
import { type Charge, learned, restarted, UNLEARNED } from './charge.ts'
import {
  amountOf,
  type Demand,
  GIVEN_LIMITS,
  type GivenLimits,
  type LimitKind,
  MINUTE_MS,
  plusDemand,
} from './demand.ts'
import { admitted, type Found, grown, nothingFound, refused } from './found-limit.ts'
import { type Learned, type LimitName, learnedOf, type Price, takenOver } from './learned-limit.ts'
import type { LimitInForce, Seen } from './share.ts'

/**
 * The limits of one account: given, said by the provider, or found from its refusals. Has no clock: `nowMs` is the time of any clock that does
 * not go back. What is taken less what is given back is what is on its way.
 */
export interface AccountLimits {
  /** How long a request of this size has to wait, and for which limit; `null`: it may go now. */
  waitFor(demand: Demand, nowMs: number): Wait | null
  /** Takes it, whatever that leaves. */
  draw(demand: Demand, nowMs: number): Taken
  /** Ends what was taken, as `Draw.end` says. */
  end(taken: Taken, used: Demand | null, seen: Seen | null, nowMs: number): void
  give(limits: GivenLimits, nowMs: number): void
  /** Empties of all waits what counts over more than a minute. */
  forgive(nowMs: number): void
  inForce(): readonly LimitInForce[]
  readonly inFlight: Demand
  /** Somebody who paces the sending let a request wait for this limit. */
  heldUp(limit: LimitName): void
  /** Counts what others on the account have drawn. */
  countOthers(limit: LimitName, amount: number, nowMs: number): void
  /** What one unit of each limit takes of its time now, in ms: others who draw on the same limit at this price keep to it together. */
  prices(nowMs: number): readonly Price[]
  /** What was learned of the provider's limits. */
  learned(): readonly Learned[]
  /** Takes over what another has learned of the same account. */
  takeOver(learned: Learned, nowMs: number): void
}

export interface Wait {
  readonly ms: number
  readonly limit: LimitInForce
}

/** What was taken for one request. */
export interface Taken {
  readonly demand: Demand
  readonly atMs: number
  /** For each limit that was in force: how much had been counted then, this request with it. */
  readonly marks: ReadonlyMap<Line, number>
}

/** One limit: who says how much, and where it stands. */
interface Line extends LimitName {
  given: number | null
  said: number | null
  found: number | null
  bucket: Bucket
  charge: Charge
  /** All that was ever drawn, corrected by what it really was. */
  counted: number
  /** When the latest request was sent whose response told of this limit. */
  heardOfMs: number
}

/** How often a limit that is felt for grows. */
const GROW_EACH_MS = 250

/** An account of which nothing is known. `pacedHere`: waits are such that sending is smooth; else somebody else sees to that. */
export function createAccountLimits(nowMs: number, pacedHere = true): AccountLimits {
  const waitFor = pacedHere ? waitOf : levelWaitOf
  const lines = new Map<string, Line>()
  let inFlight: Demand = { requests: 0, inputTokens: 0, outputTokens: 0 }
  let found: Found = nothingFound(nowMs)
  let foundBinds = false
  const set = (
    kind: LimitKind,
    windowMs: number,
    by: 'given' | 'said' | 'found',
    limit: number | null,
    now: number,
  ) => {
    setLimit(lines, { kind, windowMs, by, limit }, now)
  }
  const feel = (now: number) => {
    if (found.limit === null || now - found.grownAtMs < GROW_EACH_MS) return
    found = grown(found, foundBinds, now)
    foundBinds = false
    set('requests', MINUTE_MS, 'found', found.limit, now)
  }
  const hear = (taken: Taken, { signal, refused: wasRefused }: Seen, now: number) => {
    const explained = signal !== null && hearSignal(lines, taken, signal, wasRefused, now)
    if (!wasRefused) {
      found = admitted(found)
      return
    }
    if (explained) return
    const before = found
    found = refused(found, taken.atMs, now, !pacedHere)
    if (found.cutAtMs === before.cutAtMs) return
    if (found.limit === null) return set('requests', MINUTE_MS, 'found', null, now)
    set('requests', MINUTE_MS, 'found', found.limit, now)
    const line = lines.get(keyOf('requests', MINUTE_MS))
    if (line !== undefined) line.bucket = withLevel(line.bucket, Math.min(line.bucket.level, 0), false)
  }

  return Object.freeze({
    waitFor(demand: Demand, now: number) {
      feel(now)
      let longest: Wait | null = null
      for (const line of lines.values()) {
        line.bucket = refilled(line.bucket, now)
        const ms = waitFor(line.bucket, line.charge.factor * amountOf(line.kind, demand))
        if (ms > (longest?.ms ?? 0)) longest = { ms, limit: inForce(line) }
      }
      if (longest?.limit.source === 'found') foundBinds = true
      return longest
    },
    draw(demand: Demand, now: number) {
      const marks = new Map<Line, number>()
      for (const line of lines.values()) {
        line.bucket = refilled(line.bucket, now)
        count(line, amountOf(line.kind, demand))
        marks.set(line, line.counted)
      }
      inFlight = plusDemand(inFlight, demand, 1)
      return { demand, atMs: now, marks }
    },
    end(taken: Taken, used: Demand | null, seen: Seen | null, now: number) {
      inFlight = plusDemand(inFlight, taken.demand, -1)
      for (const line of taken.marks.keys()) {
        const more = (used === null ? 0 : amountOf(line.kind, used)) - amountOf(line.kind, taken.demand)
        if (more === 0) continue
        line.bucket = refilled(line.bucket, now)
        count(line, more)
      }
      if (seen !== null) hear(taken, seen, now)
    },
    give(limits: GivenLimits, now: number) {
      for (const [name, { kind, windowMs }] of Object.entries(GIVEN_LIMITS)) {
        set(kind, windowMs, 'given', limits[name as keyof GivenLimits], now)
      }
    },
    forgive(now: number) {
      for (const line of lines.values()) {
        if (!isPaced(line.bucket)) line.bucket = withLevel(refilled(line.bucket, now), line.bucket.limit, false)
      }
    },
    inForce: () => [...lines.values()].map(inForce).sort((a, b) => a.windowMs - b.windowMs),
    get inFlight() {
      return inFlight
    },
    heldUp({ kind, windowMs }: LimitName) {
      const line = lines.get(keyOf(kind, windowMs))
      if (line !== undefined && inForce(line).source === 'found') foundBinds = true
    },
    countOthers({ kind, windowMs }: LimitName, amount: number, now: number) {
      const line = lines.get(keyOf(kind, windowMs))
      if (line === undefined) return
      line.bucket = refilled(line.bucket, now)
      count(line, amount)
      if (kind === 'requests' && windowMs === MINUTE_MS) found = { ...found, admitted: found.admitted + amount }
    },
    prices(now: number) {
      feel(now)
      return [...lines.values()].map((line) => priceOf(line, now))
    },
    learned: () => [...saidBy(lines), ...learnedOf(found)],
    takeOver(word: Learned, now: number) {
      if (word.how === 'said') return set(word.kind, word.windowMs, 'said', word.limit, now)
      found = takenOver(found, word, now)
      set(word.kind, word.windowMs, 'found', found.limit, now)
    },
  })
}

function priceOf(line: Line, nowMs: number): Price {
  const { kind, windowMs, charge } = line
  line.bucket = refilled(line.bucket, nowMs)
  const speed = isPaced(line.bucket) ? speedOf(line.bucket, nowMs) : 1
  return { kind, windowMs, msPerUnit: charge.factor / (rateOf(line.bucket) * speed) }
}

function saidBy(lines: ReadonlyMap<string, Line>): readonly Learned[] {
  return [...lines.values()].flatMap(({ kind, windowMs, said }) =>
    said === null ? [] : [{ kind, windowMs, how: 'said' as const, limit: said, sinceMs: 0 }],
  )
}

function count(line: Line, amount: number): void {
  line.counted += amount
  line.bucket = drawn(line.bucket, line.charge.factor * amount)
}

function keyOf(kind: LimitKind, windowMs: number): string {
  return `${kind}/${windowMs}`
}

function limitOf(line: Pick<Line, 'given' | 'said' | 'found'>): number | null {
  // What the provider says outright counts for more than what its refusals seemed to say.
  const own = line.said ?? line.found
  return line.given === null ? own : own === null ? line.given : Math.min(line.given, own)
}

function inForce(line: Line): LimitInForce {
  const { kind, windowMs, given, said, bucket } = line
  const source = bucket.limit === given ? 'given' : bucket.limit === said ? 'said' : 'found'
  return { kind, windowMs, limit: bucket.limit, source }
}

interface Told extends LimitName {
  readonly by: 'given' | 'said' | 'found'
  readonly limit: number | null
}

/** Puts a limit into force, changes it, or takes it away. */
function setLimit(lines: Map<string, Line>, { kind, windowMs, by, limit }: Told, nowMs: number): void {
  const key = keyOf(kind, windowMs)
  const line = lines.get(key)
  if (line === undefined) {
    if (limit === null) return
    const bucket = fullBucket(kind, windowMs, limit, nowMs)
    const none = { given: null, said: null, found: null }
    lines.set(key, { kind, windowMs, ...none, [by]: limit, bucket, charge: UNLEARNED, counted: 0, heardOfMs: nowMs })
    return
  }
  if (line[by] === limit) return
  line[by] = limit
  const inForceNow = limitOf(line)
  if (inForceNow === null) lines.delete(key)
  else line.bucket = withLimit(refilled(line.bucket, nowMs), inForceNow)
  if (by === 'said') line.charge = restarted(line.charge)
}

/** Takes over what a response said. Whether it explains a refusal: one of the limits that it tells of had not enough left. */
function hearSignal(
  lines: Map<string, Line>,
  taken: Taken,
  signal: LimitSignal,
  wasRefused: boolean,
  nowMs: number,
): boolean {
  let explained = false
  for (const kind of ['requests', 'tokens', 'inputTokens', 'outputTokens'] as const) {
    const window = signal[kind]
    if (window === null) continue
    if (window.limit !== null && window.limit > 0) {
      // One window is told of at a time: a guess at its length that was another before was wrong, or is over.
      for (const line of [...lines.values()]) {
        if (line.kind !== kind || line.windowMs === window.windowMs) continue
        setLimit(lines, { kind, windowMs: line.windowMs, by: 'said', limit: null }, nowMs)
      }
      setLimit(lines, { kind, windowMs: window.windowMs, by: 'said', limit: window.limit }, nowMs)
    }
    const line = lines.get(keyOf(kind, window.windowMs))
    if (line === undefined || window.remaining === null) continue
    const needed = line.charge.factor * amountOf(kind, taken.demand)
    if (wasRefused && window.remaining < Math.max(needed, 0.02 * line.bucket.limit)) explained = true
    hearLevel(line, taken, window, wasRefused, nowMs)
  }
  return explained
}

/** What is left by the provider's word, as of when the request was sent; what was counted since is not in it. */
function hearLevel(line: Line, taken: Taken, window: LimitWindow, wasRefused: boolean, nowMs: number): void {
  const remaining = window.remaining as number
  if (taken.atMs < line.heardOfMs) return
  line.heardOfMs = taken.atMs
  const saidLimit = line.said ?? line.bucket.limit
  const rate = rateOf({ limit: saidLimit, windowMs: line.windowMs })
  const mark = taken.marks.get(line)
  if (mark !== undefined && line.kind !== 'requests' && isPaced(line.bucket) && !wasRefused) {
    const word = { sentAtMs: taken.atMs, remaining, counted: mark }
    line.charge = learned(line.charge, word, saidLimit, rate)
  }
  const since = line.charge.factor * (line.counted - (mark ?? line.counted))
  const left = remaining + rate * (nowMs - taken.atMs) - since
  line.bucket = refilled(line.bucket, nowMs)
  const isTheirs = line.bucket.limit === line.said
  // A smaller limit of our own has a bucket of its own: theirs can only say that less is left.
  line.bucket = withLevel(line.bucket, isTheirs ? left : Math.min(left, line.bucket.level), isTheirs)
}
