import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { predictSum, type Sized } from '../../src/plan/prediction.ts'

/** Numbers in [0, 1), the same for the same seed (mulberry32), and what is drawn with them. */
function drawer(seed: number) {
  let state = seed
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  return { uniform, normal }
}

/** Rows whose texts and answers are log-normal, and which are asked again, and paid for again, with the chance `again`. */
interface Kind {
  readonly lengths: number
  readonly answers: number
  readonly again: number
}

function rowsOf({ lengths, answers, again }: Kind, rows: number, draw: ReturnType<typeof drawer>): Sized[] {
  return Array.from({ length: rows }, () => {
    const size = 300 + 400 * Math.exp(lengths * draw.normal())
    let attempts = 1
    while (attempts < 3 && draw.uniform() < again) attempts++
    return { size, used: attempts * (size / 16 + 120 * Math.exp(answers * draw.normal())) }
  })
}

function sumOf(rows: readonly Sized[], of: keyof Sized): number {
  return rows.reduce((sum, row) => sum + row[of], 0)
}

/** Plans of many populations of one kind: how often the truth lay in the range, and how wide that was on average. */
function manyPlans(kind: Kind, sampled: number, rows: number) {
  const draw = drawer(1)
  const plans = Array.from({ length: 200 }, () => {
    const population = rowsOf(kind, rows, draw)
    const range = predictSum(rowsOf(kind, sampled, draw), { rows, size: sumOf(population, 'size') })
    const truth = sumOf(population, 'used')
    return { inside: range.low <= truth && truth <= range.high, width: range.high / range.low }
  })
  return {
    inside: plans.filter(({ inside }) => inside).length / plans.length,
    width: plans.reduce((sum, { width }) => sum + width, 0) / plans.length,
  }
}

const KINDS: readonly (readonly [string, Kind])[] = [
  ['all alike', { lengths: 0, answers: 0, again: 0 }],
  ['texts of many lengths', { lengths: 1, answers: 0.3, again: 0 }],
  ['answers of many lengths', { lengths: 0.5, answers: 0.6, again: 0 }],
  ['rare repeats', { lengths: 0.5, answers: 0.2, again: 0.01 }],
  ['repeats', { lengths: 0.5, answers: 0.3, again: 0.1 }],
  ['a heavy tail', { lengths: 1, answers: 1, again: 0.05 }],
]

describe('predictSum', () => {
  it.each(KINDS)('%s: the sum lies in the range at the rate that is stated', (name, kind) => {
    // Of a heavy tail a sample of twenty has often seen nothing.
    const rate = name === 'a heavy tail' ? 0.93 : 0.965
    const plans = [20, 50, 200].flatMap((sampled) => [100, 600].map((rows) => manyPlans(kind, sampled, rows).inside))
    expect(plans.reduce((sum, inside) => sum + inside, 0) / plans.length).toBeGreaterThan(rate)
  })

  it.each(KINDS.filter(([name]) => name !== 'a heavy tail'))(
    '%s: fifty rows give a range no wider than 1.5 times',
    (_name, kind) => {
      expect(manyPlans(kind, 50, 600).width).toBeLessThan(1.5)
    },
  )

  it('a few rows give a range that says how little they tell', () => {
    expect(manyPlans({ lengths: 0.5, answers: 0.3, again: 0 }, 3, 600).width).toBeGreaterThan(3)
  })

  const sample = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 100_000 }), used: fc.integer({ min: 0, max: 1_000_000 }) }),
    { minLength: 3, maxLength: 60 },
  )
  const population = fc.record({
    rows: fc.integer({ min: 1, max: 1_000_000 }),
    mean: fc.integer({ min: 1, max: 100_000 }),
  })

  it('gives finite ends in their order, whatever was seen', () => {
    fc.assert(
      fc.property(sample, population, (rows, { rows: n, mean }) => {
        const { low, expected, high } = predictSum(rows, { rows: n, size: n * mean })
        expect([low, expected, high].every((end) => Number.isFinite(end) && end >= 0)).toBe(true)
        expect(low <= expected && expected <= high).toBe(true)
      }),
    )
  })

  it('twice the use is twice the range', () => {
    fc.assert(
      fc.property(sample, population, (rows, { rows: n, mean }) => {
        const once = predictSum(rows, { rows: n, size: n * mean })
        const twice = predictSum(
          rows.map(({ size, used }) => ({ size, used: 2 * used })),
          { rows: n, size: n * mean },
        )
        for (const end of ['low', 'expected', 'high'] as const) expect(twice[end]).toBeCloseTo(2 * once[end], 3)
      }),
    )
  })

  it('of no rows the sum is nothing; from fewer than three rows nothing is predicted', () => {
    const rows = [1, 2, 3].map((size) => ({ size, used: size }))
    expect(predictSum(rows, { rows: 0, size: 0 })).toEqual({ low: 0, expected: 0, high: 0 })
    expect(() => predictSum(rows.slice(1), { rows: 9, size: 9 })).toThrow(RangeError)
  })
})
