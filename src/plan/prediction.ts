import type { Range } from '../domain/range.ts'

/** One row that was asked: how large its request was, and what it used of something. */
export interface Sized {
  readonly size: number
  readonly used: number
}

/** The rows to predict: how many, and the sum of their sizes. */
export interface Population {
  readonly rows: number
  readonly size: number
}

/** Fewer rows than this tell nothing of how much rows differ. */
export const FEWEST_ROWS = 3

/** From so many rows on a line with an intercept is fitted; below, one through the origin. */
const ROWS_FOR_A_LINE = 8

/**
 * Weight of one row that was never seen: a row that has to be asked twice. A sample without a repeated row does not show that there are none; half an
 * observation is what Jeffreys' prior for a rare event adds (Brown, Cai, DasGupta 2001, "Interval Estimation for a Binomial Proportion").
 */
const UNSEEN_WEIGHT = 0.5

/**
 * The sum over a population, from a sample of it: least squares of use on size, and the prediction interval of the sum (Draper and Smith, "Applied
 * Regression Analysis", 3.1) at 98 %, by Student's t: one in a hundred lies above its high end. It holds the doubt about the line and the scatter of the
 * rows to come. Skew, which makes a t interval too short on the long side, widens that side by Johnson's term (1978, JASA 73, 363). Needs
 * `FEWEST_ROWS`.
 */
export function predictSum(sample: readonly Sized[], population: Population): Range {
  if (sample.length < FEWEST_ROWS) throw new RangeError(`expected ${FEWEST_ROWS} rows at least, got ${sample.length}`)
  if (population.rows === 0) return { low: 0, expected: 0, high: 0 }
  const line = sample.length < ROWS_FOR_A_LINE ? throughOrigin(sample) : fitted(sample)
  const residuals = sample.map(({ size, used }) => used - (line.intercept + line.slope * size))
  const meanUse = mean(sample.map(({ used }) => used))
  const freedom = sample.length - line.parameters
  const squares = residuals.reduce((sum, each) => sum + each ** 2, 0)
  const variance = (squares + UNSEEN_WEIGHT * meanUse ** 2) / freedom
  const { rows, size } = population
  const expected = Math.max(0, rows * line.intercept + line.slope * size)
  const spread = Math.sqrt(variance * (rows ** 2 * line.doubtAt(size / rows) + rows))
  const t = tQuantile(freedom)
  const skew = (skewness(residuals) * (2 * t ** 2 + 1)) / (6 * Math.sqrt(sample.length))
  // What was used is never less than nothing, and hardly less than a twentieth of what was expected.
  const low = Math.max(expected / 20, expected - spread * (t + Math.max(0, -skew)))
  return { low, expected, high: expected + spread * (t + Math.max(0, skew)) }
}

interface Line {
  readonly intercept: number
  readonly slope: number
  readonly parameters: number
  /** Variance of the line at a size, in units of the scatter. */
  readonly doubtAt: (size: number) => number
}

function fitted(sample: readonly Sized[]): Line {
  const n = sample.length
  const meanSize = mean(sample.map(({ size }) => size))
  const meanUse = mean(sample.map(({ used }) => used))
  const sizes = sample.reduce((sum, { size }) => sum + (size - meanSize) ** 2, 0)
  const products = sample.reduce((sum, { size, used }) => sum + (size - meanSize) * (used - meanUse), 0)
  // Rows of one length say nothing of others.
  const slope = sizes < 1e-9 ? 0 : products / sizes
  return {
    intercept: meanUse - slope * meanSize,
    slope,
    parameters: 2,
    doubtAt: (size) => 1 / n + (sizes < 1e-9 ? 0 : (size - meanSize) ** 2 / sizes),
  }
}

function throughOrigin(sample: readonly Sized[]): Line {
  const sizes = sample.reduce((sum, { size }) => sum + size, 0)
  const uses = sample.reduce((sum, { used }) => sum + used, 0)
  return {
    intercept: 0,
    slope: sizes === 0 ? 0 : uses / sizes,
    parameters: 1,
    doubtAt: (size) => (sizes === 0 ? 0 : ((size * sample.length) / sizes) ** 2 / sample.length),
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length
}

function skewness(residuals: readonly number[]): number {
  const middle = mean(residuals)
  const second = mean(residuals.map((each) => (each - middle) ** 2))
  if (second < 1e-12) return 0
  return mean(residuals.map((each) => (each - middle) ** 3)) / second ** 1.5
}

/** The 99th percentile of Student's t for one to four degrees of freedom, and for very many. */
const T_SMALL = [31.821, 6.965, 4.541, 3.747] as const
const Z = 2.326_348

/** The 99th percentile of Student's t, by Fisher's expansion in 1/freedom from five on: right to a hundredth. */
function tQuantile(freedom: number): number {
  const small = T_SMALL[freedom - 1]
  if (small !== undefined) return small
  const terms = [
    (Z ** 3 + Z) / 4,
    (5 * Z ** 5 + 16 * Z ** 3 + 3 * Z) / 96,
    (3 * Z ** 7 + 19 * Z ** 5 + 17 * Z ** 3 - 15 * Z) / 384,
  ]
  return terms.reduce((sum, term, at) => sum + term / freedom ** (at + 1), Z)
}
