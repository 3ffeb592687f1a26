import type { Price } from '../domain/money.ts'
import type { Basis, PlannedUse } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import { costOf, worstUsage } from '../domain/usage.ts'
import type { Observation } from './observation.ts'
import { FEWEST_ROWS, type Population, predictSum, type Sized } from './prediction.ts'
import type { Tally } from './row-tally.ts'

/** What an estimate is made from. */
export interface Evidence {
  readonly basis: Basis
  readonly observations: readonly Observation[]
  /** Requests that the provider turned away as too many (429, 503, 529), among all that it was sent. */
  readonly pushBacks: { readonly attempts: number; readonly turnedAway: number }
}

/** Nothing was asked. */
export const NO_PUSH_BACKS: Evidence['pushBacks'] = Object.freeze({ attempts: 0, turnedAway: 0 })

/** Rows from which the observations of a sample are believed; fewer are used where there is nothing better. */
export const ENOUGH_ROWS = 8

/** By how much a range is widened that rests on another prompt than the one to be sent. */
const OTHER_VERSION = 1.25

/** Bytes that a token may have: many short words of English at one end, scripts of three bytes a letter at the other. */
const BYTES_PER_TOKEN = { most: 5, fewest: 2.5 } as const

/** The shortest answer that says something, in tokens. */
const SHORTEST_ANSWER = 4

/** The first evidence that is believed, in the order given; else the one with the most rows; else the length of the requests. */
export function chooseEvidence(candidates: readonly Evidence[]): Evidence {
  const enough = candidates.find(({ observations }) => observations.length >= ENOUGH_ROWS)
  if (enough !== undefined) return enough
  const most = candidates.toSorted((a, b) => b.observations.length - a.observations.length)[0]
  if (most !== undefined && most.observations.length >= FEWEST_ROWS) return most
  return { basis: { kind: 'length' }, observations: [], pushBacks: NO_PUSH_BACKS }
}

/** What the rows to run would use, over all their attempts: predicted from evidence, or bounded by the length of the requests. */
export function estimateUse(
  tally: Tally,
  { basis, observations }: Pick<Evidence, 'basis' | 'observations'>,
  price: Price | null,
): PlannedUse {
  const worst = worstUsage(tally.worstInputTokens, tally.worstOutputTokens, price)
  const worstCostNano = costOf(worst, price)
  if (tally.rows.toRun === 0) {
    const none = { low: 0, expected: 0, high: 0 }
    return { inputTokens: none, outputTokens: none, costNano: none, worstCostNano: 0, basis: { kind: 'nothing' } }
  }
  if (basis.kind === 'length') return { ...boundedUse(tally, price), worstCostNano, basis }
  const population = { rows: tally.rows.toRun, size: tally.bytes }
  const wide = basis.kind === 'history' && basis.version === 'other' ? OTHER_VERSION : 1
  const predict = (used: (row: Observation) => number | null) => predictUse(observations, population, used, wide)
  return {
    inputTokens: predict(({ inputTokens }) => inputTokens) as Range,
    outputTokens: predict(({ outputTokens }) => outputTokens) as Range,
    costNano: predict(({ costNano }) => costNano),
    worstCostNano,
    basis,
  }
}

/** `null`: it is not known of every row. */
function predictUse(
  observations: readonly Observation[],
  population: Population,
  used: (row: Observation) => number | null,
  wide: number,
): Range | null {
  const sample: Sized[] = []
  for (const row of observations) {
    const use = used(row)
    if (use === null) return null
    sample.push({ size: row.size, used: use })
  }
  const { low, expected, high } = predictSum(sample, population)
  return { low: Math.floor(low / wide), expected: Math.round(expected), high: Math.ceil(high * wide) }
}

/** Bounds where no request was made yet: one attempt for each row. */
function boundedUse(tally: Tally, price: Price | null): Omit<PlannedUse, 'basis' | 'worstCostNano'> {
  const inputTokens = between(tally.bytes / BYTES_PER_TOKEN.most, tally.bytes / BYTES_PER_TOKEN.fewest)
  const outputTokens = between(tally.rows.toRun * SHORTEST_ANSWER, tally.worstOutputTokens)
  const costAt = (end: keyof Range) =>
    costOf(
      {
        inputTokens: inputTokens[end],
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: outputTokens[end],
        reasoningTokens: 0,
      },
      price,
    )
  const [low, high] = [costAt('low'), costAt('high')]
  return { inputTokens, outputTokens, costNano: low === null || high === null ? null : between(low, high) }
}

/** Between bounds that lie far apart the middle is the geometric one. */
function between(low: number, high: number): Range {
  const top = Math.ceil(Math.max(low, high))
  return { low: Math.floor(low), expected: Math.round(Math.sqrt(Math.max(1, low) * top)), high: top }
}
