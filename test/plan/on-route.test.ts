import { describe, expect, it } from 'vitest'
import type { PlannedTime } from '../../src/domain/plan.ts'
import type { Range } from '../../src/domain/range.ts'
import type { WayEstimate } from '../../src/domain/route.ts'
import { timeOnRoute, useOnRoute } from '../../src/plan/on-route.ts'
import { A_ROUTE, aPlan } from '../delivery/a-plan.ts'

const HOUR = 3_600_000
const { use, time } = aPlan()
const live = time as PlannedTime
const [batch, alsoLive] = A_ROUTE.ways as readonly [WayEstimate, WayEstimate]
const flex: WayEstimate = { ...batch, way: 'flex', basis: 'flex is slower' }

const on = (way: WayEstimate, deadlineMs: number | null = null) => ({
  ...A_ROUTE,
  way: way.way,
  deadlineMs,
  ways: way.way === 'live' ? [batch, way] : [way, alsoLive],
})

describe('what a run uses on its way', () => {
  it('is the cost of that way where all rows end on it', () => {
    const all = { ...batch, share: 1, expectedNano: 441_000_000 }
    expect(useOnRoute(use, on(all))).toEqual({ ...use, costNano: batch.costNano })
    expect(useOnRoute(use, on(alsoLive)).costNano).toEqual(alsoLive.costNano)
  })

  it('holds the rows that go live in the end, at the worst all of them', () => {
    expect(useOnRoute(use, on(batch, HOUR)).costNano).toEqual({
      low: 427_000_000,
      expected: 449_820_000,
      high: 913_000_000,
    })
    // Where live alone is too late it is not among the ways.
    expect(useOnRoute(use, { ...A_ROUTE, ways: [batch] }).costNano?.high).toBe(913_000_000)
  })

  it('stays what it is where no price is known', () => {
    const unpriced = { ...batch, costNano: null, expectedNano: null }
    expect(useOnRoute({ ...use, costNano: null }, on(unpriced))).toEqual({ ...use, costNano: null })
  })
})

describe('how long a run takes on its way', () => {
  it('is the time of live requests where it goes live, even if nothing tells', () => {
    expect(timeOnRoute(live, on(alsoLive))).toBe(live)
    expect(timeOnRoute(null, on(alsoLive))).toBeNull()
  })

  it('is that of its batches, as far as some were seen', () => {
    expect(timeOnRoute(live, on(batch))).toEqual({
      ms: batch.ms,
      bound: "the provider's batches",
      basis: 'turnarounds',
    })
    expect(timeOnRoute(live, on({ ...batch, ms: null }))).toBeNull()
    expect(timeOnRoute(live, on(flex))).toEqual({ ms: flex.ms, bound: 'flex', basis: 'latency' })
  })

  it('ends with the deadline, or with what live takes where that is longer', () => {
    const ends = (deadlineMs: number): Range | undefined => timeOnRoute(live, on(batch, deadlineMs))?.ms
    expect(ends(2 * HOUR)).toEqual({ low: HOUR / 3, expected: HOUR, high: 2 * HOUR })
    expect(ends(HOUR / 2)).toEqual({ low: HOUR / 3, expected: HOUR / 2, high: HOUR / 2 })
    expect(ends(1000)).toEqual({ low: 341_000, expected: 341_000, high: 341_000 })
    const alone = { ...A_ROUTE, deadlineMs: HOUR, ways: [batch] }
    expect(timeOnRoute(live, alone)?.ms).toEqual(batch.ms)
  })
})
