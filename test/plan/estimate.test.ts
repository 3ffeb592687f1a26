import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LimitFigure } from '../../src/domain/limit-text.ts'
import type { Price } from '../../src/domain/money.ts'
import type { PlannedUse } from '../../src/domain/plan.ts'
import { priceHash, refuseStale } from '../../src/plan/binding.ts'
import { budgetFits } from '../../src/plan/budget-fit.ts'
import { estimateTime, type TimeEvidence } from '../../src/plan/duration.ts'
import { chooseEvidence, type Evidence, estimateUse, NO_PUSH_BACKS } from '../../src/plan/estimate.ts'
import { type Observation, observe } from '../../src/plan/observation.ts'
import type { Tally } from '../../src/plan/row-tally.ts'
import { anOutcome } from '../cli/fake-engine.ts'

const PRICE: Price = {
  inputNanoPerMillion: 1_000_000_000,
  outputNanoPerMillion: 2_000_000_000,
  cachedInputNanoPerMillion: 100_000_000,
  cacheWriteNanoPerMillion: null,
  source: 'spec',
}

function tally(toRun: number): Tally {
  const rows = { total: toRun, toRun, reuse: 0, duplicates: 0, skipped: 0, unreadable: 0, failing: 0, exact: true }
  return { rows, bytes: toRun * 400, worstInputTokens: toRun * 500, worstOutputTokens: toRun * 200 }
}

function seen(rows: number, more: Partial<Observation> = {}): Observation[] {
  return Array.from({ length: rows }, (_, at) => ({
    size: 300 + (at % 3) * 100,
    inputTokens: 75 + (at % 3) * 25,
    outputTokens: 20,
    costNano: 100_000,
    uncachedNano: 100_000,
    latencyMs: 1000,
    ...more,
  }))
}

const evidence = (kind: 'pilot' | 'same' | 'other', rows: number): Evidence => ({
  basis: kind === 'pilot' ? { kind, rows, job: 'job_p' } : { kind: 'history', rows, jobs: ['job_h'], version: kind },
  observations: seen(rows),
  pushBacks: NO_PUSH_BACKS,
})

describe('which evidence an estimate rests on', () => {
  it.each<[readonly Evidence[], string]>([
    [[evidence('pilot', 50), evidence('same', 400)], 'pilot 50'],
    [[evidence('pilot', 5), evidence('same', 400)], 'history 400'],
    [[evidence('same', 3), evidence('other', 100)], 'history 100'],
    [[evidence('same', 3)], 'history 3'],
    [[evidence('same', 2)], 'length'],
    [[], 'length'],
  ])('%#', (candidates, expected) => {
    const { basis } = chooseEvidence(candidates)
    expect('rows' in basis ? `${basis.kind} ${basis.rows}` : basis.kind).toBe(expected)
  })
})

describe('what rows would use', () => {
  it('is predicted from a sample: tokens by the length of the requests', () => {
    const use = estimateUse(tally(1000), evidence('pilot', 51), PRICE)
    expect(use.inputTokens.expected).toBe(100_000)
    expect(use.outputTokens.expected).toBe(20_000)
    expect(use.costNano?.expected).toBe(100_000_000)
    expect(use.costNano?.low).toBeGreaterThan(90_000_000)
    expect(use.costNano?.high).toBeLessThan(110_000_000)
    expect(use.worstCostNano).toBe(1000 * (500 + 400) * 1000)
  })

  it('is wider where it rests on another prompt', () => {
    const same = estimateUse(tally(1000), evidence('same', 50), PRICE).outputTokens
    const other = estimateUse(tally(1000), evidence('other', 50), PRICE).outputTokens
    expect(other.high / other.low).toBeCloseTo((same.high / same.low) * 1.25 ** 2, 2)
  })

  it('without a sample is bounded by lengths, and holds whatever a model may count and answer once', () => {
    const use = estimateUse(tally(1000), chooseEvidence([]), PRICE)
    expect(use).toMatchObject({
      inputTokens: { low: 80_000, high: 160_000 },
      outputTokens: { low: 4000, high: 200_000 },
      costNano: { low: 88_000_000, high: 560_000_000 },
      basis: { kind: 'length' },
    })
  })

  it('costs nobody knows what where no price is known, and nothing where nothing is to be sent', () => {
    const free = { ...evidence('pilot', 50), observations: seen(50, { costNano: null }) }
    expect(estimateUse(tally(1000), free, null)).toMatchObject({ costNano: null, worstCostNano: null })
    expect(estimateUse(tally(0), evidence('pilot', 50), PRICE)).toMatchObject({
      costNano: { low: 0, high: 0 },
      basis: { kind: 'nothing' },
    })
  })
})

describe('what one row used', () => {
  const rates = { price: PRICE, cachedShare: 0.5, cacheWriteShare: 0 }

  it('is all of its attempts at the price of today, with the share that the cache took', () => {
    expect(observe(anOutcome({ inputTokens: 1000, outputTokens: 100 }), 77, rates)).toEqual({
      size: 77,
      inputTokens: 1000,
      outputTokens: 100,
      costNano: 500_000 + 50_000 + 200_000,
      uncachedNano: 1_200_000,
      latencyMs: 2100,
    })
  })

  it('of a row that a fallback answered is what was booked', () => {
    expect(observe(anOutcome({ fallback: true, costNano: 42 }), 77, rates)?.costNano).toBe(42)
  })

  it('is nothing for rows that were not asked', () => {
    expect(observe(anOutcome({ state: 'succeeded', lane: 'cache' }), 77, rates)).toBeNull()
    expect(observe(anOutcome({ state: 'skipped' }), 77, rates)).toBeNull()
    expect(observe(anOutcome({ attempts: 0, inputTokens: 0 }), 77, rates)).toBeNull()
  })
})

describe('how long rows take', () => {
  const use = estimateUse(tally(6000), evidence('pilot', 50), PRICE)
  const time = (more: Partial<TimeEvidence>) =>
    estimateTime({
      rows: 6000,
      concurrency: 60,
      paces: [],
      observations: seen(50),
      pushBacks: NO_PUSH_BACKS,
      use,
      limits: [],
      ...more,
    })

  it('follows from how long single rows take, and how many go at a time', () => {
    const planned = time({})
    expect(planned).toMatchObject({ bound: 'concurrency 60', basis: 'latency' })
    expect(planned?.ms.low).toBeGreaterThan(90_000)
    expect(planned?.ms.low).toBeLessThan(100_000)
    expect(planned?.ms.high).toBeLessThan(140_000)
  })

  it('is bound by the limit that takes longest', () => {
    const minute = (kind: LimitFigure['kind'], limit: number) => ({ kind, limit, windowMs: 60_000 })
    const day = (limit: number) => ({ kind: 'requests' as const, limit, windowMs: 86_400_000 })
    expect(time({ limits: [minute('tokens', 10_000_000), minute('requests', 600)] })).toMatchObject({
      bound: '600 requests a minute',
      ms: { low: 540_000 },
    })
    expect(time({ limits: [minute('outputTokens', 1000)] })?.bound).toBe('1,000 output tokens a minute')
    expect(time({ limits: [day(3000)] })).toMatchObject({ bound: '3,000 requests a day', ms: { low: 86_400_000 } })
    expect(time({ limits: [day(6000)] })?.bound).toBe('concurrency 60')
  })

  it('is longer where the provider turned requests away', () => {
    const pushed = time({ pushBacks: { attempts: 100, turnedAway: 5 } })
    expect(pushed?.ms.expected).toBeGreaterThan(3 * (time({})?.ms.expected as number))
  })

  it('follows the pace of earlier jobs where there are any', () => {
    const paces = [
      { rows: 1000, activeMs: 20_000 },
      { rows: 1000, activeMs: 30_000 },
    ]
    expect(time({ paces })).toMatchObject({ basis: 'pace', ms: { low: 96_000, expected: 150_000, high: 225_000 } })
  })

  it('is unknown before anything was asked, unless a limit says it', () => {
    expect(time({ observations: [] })).toBeNull()
    expect(time({ observations: [], limits: [{ kind: 'requests', limit: 60, windowMs: 60_000 }] })).toMatchObject({
      basis: 'limits',
    })
    expect(time({ rows: 0 })).toBeNull()
  })
})

describe('the budget', () => {
  const use = { inputTokens: range(90), outputTokens: range(9), costNano: range(1000) } as PlannedUse

  it.each([
    [2000, 'fits'],
    [1000, 'may not fit'],
    [499, 'does not fit'],
  ])('of %i against 500 to 2000 %s', (usdNano, fit) => {
    expect(budgetFits({ usdNano, tokens: null }, use)).toEqual([{ limit: 'usd', amount: usdNano, fit }])
  })

  it('of tokens counts input and output; without a price nobody knows', () => {
    expect(budgetFits({ usdNano: 1, tokens: 198 }, { ...use, costNano: null }).map(({ fit }) => fit)).toEqual([
      'may not fit',
      'fits',
    ])
  })

  function range(expected: number) {
    return { low: expected / 2, expected, high: expected * 2 }
  }
})

describe('what a plan is bound to', () => {
  const binding = { specHash: 'a', inputHash: 'b', priceHash: 'c' }

  it.each([
    [{ specHash: 'x' }, 'the spec changed'],
    [{ inputHash: 'x' }, 'the input changed'],
    [{ priceHash: 'x', inputHash: 'x' }, 'the input and a price changed'],
  ])('%j', (moved, message) => {
    expect(() => refuseStale(binding, { ...binding, ...moved })).toThrow(
      expect.objectContaining({ code: 'plan_stale', message: expect.stringContaining(message), exitCode: 2 }),
    )
  })

  it('holds while nothing moved; where a price is from does not count', () => {
    expect(() => refuseStale(binding, { ...binding })).not.toThrow()
    expect(priceHash([PRICE, null])).toBe(priceHash([{ ...PRICE, source: 'the table of tomorrow' }, null]))
  })

  it('is another for any other price', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (a, b) => {
        const hash = (inputNanoPerMillion: number) => priceHash([{ ...PRICE, inputNanoPerMillion }])
        expect(hash(a) === hash(b)).toBe(a === b)
      }),
    )
    expect(priceHash([PRICE, null])).not.toBe(priceHash([null, PRICE]))
  })
})
