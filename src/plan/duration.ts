import { type LimitFigure, limitText } from '../domain/limit-text.ts'
import type { PlannedTime, PlannedUse } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import { CUT_FACTOR, START_LIMIT } from '../limit/concurrency.ts'
import type { Evidence } from './estimate.ts'
import type { Observation } from './observation.ts'
import { FEWEST_ROWS, predictSum } from './prediction.ts'

/** Rows a second that one worker gets through when the provider answers at once (docs/benchmarks.md): on an idle machine, and on a busy one. */
const ROWS_PER_SECOND = { low: 2400, expected: 1200, high: 300 } as const

/** How far the pace of a job strays from that of the jobs before it. */
const PACE_SPREAD = 1.25

/** How far the time strays where requests are turned away: that is the provider's mood. */
const PUSHED_BACK_SPREAD = 2

/** Starting, reading the input and closing the job. */
const AROUND_MS = { low: 0, high: 2000 } as const

/** How an earlier job got on: rows that were really asked, and the time it was active. */
export interface Pace {
  readonly rows: number
  readonly activeMs: number
}

interface Bounded {
  readonly bound: string
  readonly ms: Range
}

export interface TimeEvidence {
  readonly rows: number
  /** The most rows in flight that the spec allows. */
  readonly concurrency: number
  /** Earlier jobs of the same spec, model and concurrency. */
  readonly paces: readonly Pace[]
  readonly observations: readonly Observation[]
  readonly pushBacks: Evidence['pushBacks']
  readonly use: PlannedUse
  /** Of the account: those that the spec gives, and those that were learned since this process began. */
  readonly limits: readonly LimitFigure[]
}

/**
 * How long the rows to run take on one worker: by the pace of earlier jobs, else by how long single rows took and how many go at a time; never shorter
 * than the limits of the account allow. The bound is what sets the time. `null`: nothing was asked yet, and no limit is known.
 */
export function estimateTime(evidence: TimeEvidence): PlannedTime | null {
  const { rows, paces } = evidence
  const concurrency = Math.max(1, Math.min(evidence.concurrency, rows))
  if (rows === 0) return null
  const own = paces.length > 0 ? byPace(rows, paces) : byLatency(evidence, concurrency)
  const basis = own === null ? 'limits' : paces.length > 0 ? 'pace' : 'latency'
  const candidates: readonly Bounded[] = [
    ...(own === null ? [] : [{ bound: `concurrency ${concurrency}`, ms: own }]),
    ...limitsOf(evidence),
    // A pace holds what the machine does.
    ...(basis === 'pace' ? [] : [{ bound: 'this machine', ms: machineTime(rows) }]),
  ]
  // That it could be done on this machine alone says nothing of a provider that nobody has asked.
  const isKnown = candidates.some(({ bound }) => bound !== 'this machine')
  const slowest = isKnown ? candidates.toSorted((one, other) => other.ms.expected - one.ms.expected)[0] : undefined
  if (slowest === undefined) return null
  const around = basis === 'pace' ? flat(0) : { low: AROUND_MS.low, expected: AROUND_MS.high / 2, high: AROUND_MS.high }
  return { ms: rounded(sum(slowest.ms, around)), bound: slowest.bound, basis }
}

function byPace(rows: number, paces: readonly Pace[]): Range {
  const perRow = paces.map((pace) => pace.activeMs / pace.rows).sort((a, b) => a - b)
  const all =
    paces.reduce((total, pace) => total + pace.activeMs, 0) / paces.reduce((total, pace) => total + pace.rows, 0)
  return {
    low: (rows * (perRow[0] as number)) / PACE_SPREAD,
    expected: rows * all,
    high: rows * (perRow[perRow.length - 1] as number) * PACE_SPREAD,
  }
}

/**
 * The rows one after another, so many at a time, after the rounds in which their number grows; at the end the last ones are waited for. What the
 * machine does is done meanwhile at the best, and in between at the worst.
 */
function byLatency({ rows, observations, pushBacks }: TimeEvidence, concurrency: number): Range | null {
  const sample = observations.flatMap(({ latencyMs }) => (latencyMs === null ? [] : [{ size: 1, used: latencyMs }]))
  if (sample.length < FEWEST_ROWS) return null
  const work = predictSum(sample, { rows, size: rows })
  const machine = machineTime(rows)
  const slowest = Math.max(...sample.map(({ used }) => used))
  const rounds = Math.max(0, Math.log2(concurrency / START_LIMIT))
  const growing = (rounds * work.expected) / rows
  const held = Math.min(concurrency, pushedBackTo(pushBacks))
  return {
    low: Math.max(machine.low, work.low / concurrency),
    expected: work.expected / held + growing + machine.expected,
    high: (work.high / held) * (held < concurrency ? PUSHED_BACK_SPREAD : 1) + growing + slowest + machine.high,
  }
}

/**
 * Requests in flight that remain on average where each is turned away with the same chance: of additive increase and multiplicative decrease it is
 * √((1 + b) / (2 (1 - b) p)), b being the factor of a cut (Floyd, Handley, Padhye 2000, "A Comparison of Equation-Based and AIMD Congestion Control").
 */
function pushedBackTo({ attempts, turnedAway }: Evidence['pushBacks']): number {
  if (turnedAway === 0) return Number.POSITIVE_INFINITY
  const share = turnedAway / attempts
  return Math.max(1, Math.sqrt((1 + CUT_FACTOR) / (2 * (1 - CUT_FACTOR) * share)))
}

function machineTime(rows: number): Range {
  const ms = (perSecond: number) => (rows / perSecond) * 1000
  return { low: ms(ROWS_PER_SECOND.low), expected: ms(ROWS_PER_SECOND.expected), high: ms(ROWS_PER_SECOND.high) }
}

/** A row that is asked again is a request more; how often shows in its tokens, and here in what the high end allows. */
function attemptsPerRow({ use }: TimeEvidence): number {
  const { expected, high } = use.inputTokens
  return expected === 0 ? 1 : Math.max(1, high / expected)
}

const MINUTE_MS = 60_000

/** How long each limit takes for all of the rows. */
function limitsOf(evidence: TimeEvidence): readonly Bounded[] {
  const { rows, use, limits } = evidence
  const amounts: Readonly<Record<LimitFigure['kind'], Range>> = {
    requests: { low: rows, expected: rows, high: rows * attemptsPerRow(evidence) },
    tokens: sum(use.inputTokens, use.outputTokens),
    inputTokens: use.inputTokens,
    outputTokens: use.outputTokens,
  }
  return limits.map((limit) => ({
    bound: limitText(limit),
    ms: paced(amounts[limit.kind], limit.limit, limit.windowMs),
  }))
}

/** A limit over a minute is spread over it; what a day allows may be used at once, and so may, at the best, that of the first minute. */
function paced(amount: Range, limit: number, windowMs: number): Range {
  const after = (n: number) => (Math.max(0, n - limit) / limit) * windowMs
  if (windowMs > MINUTE_MS)
    return { low: after(amount.low), expected: after(amount.expected), high: after(amount.high) }
  const spread = (n: number) => (n / limit) * windowMs
  return { low: after(amount.low), expected: spread(amount.expected), high: spread(amount.high) }
}

function sum(a: Range, b: Range): Range {
  return { low: a.low + b.low, expected: a.expected + b.expected, high: a.high + b.high }
}

function flat(value: number): Range {
  return { low: value, expected: value, high: value }
}

function rounded({ low, expected, high }: Range): Range {
  return { low: Math.floor(low), expected: Math.round(expected), high: Math.ceil(high) }
}
