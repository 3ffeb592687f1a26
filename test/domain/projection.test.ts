import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTelling, overrun, project } from '../../src/domain/projection.ts'
import { seeded } from '../scenario/two-ledgers.ts'

const both = (n: number) => ({ nano: n, tokens: n })

describe('a projection', () => {
  it('says nothing before a row has ended, and at the end what was spent', () => {
    expect(project({ total: 10, ended: 0, spent: both(0), variance: both(0) })).toBeNull()
    const end = project({ total: 10, ended: 10, spent: both(70), variance: both(5) })
    expect(end).toEqual({ low: both(70), high: both(70) })
  })

  it('of rows that all cost the same is exact', () => {
    const sure = project({ total: 1_000, ended: 100, spent: both(500), variance: both(0) })
    expect(sure).toEqual({ low: both(5_000), high: both(5_000) })
  })

  it('is never below what is spent already, and the wider the fewer rows have ended', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.nat(500),
        fc.nat(10_000),
        fc.nat(10_000),
        (ended, left, spent, variance) => {
          const seen = { total: ended + left, ended, spent: both(spent), variance: both(variance) }
          const { low, high } = project(seen)!
          expect(low.nano).toBeGreaterThanOrEqual(spent)
          expect(high.nano).toBeGreaterThanOrEqual(low.nano)
          const later = project({
            total: 2 * seen.total,
            ended: 2 * ended,
            spent: both(2 * spent),
            variance: both(variance),
          })!
          expect((later.high.nano - later.low.nano) / 2).toBeLessThanOrEqual(high.nano - low.nano + 1)
        },
      ),
    )
  })

  it('holds the true sum in nearly all jobs, also where rows have a heavy tail', () => {
    const random = seeded(11)
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    let [above, below] = [0, 0]
    for (let trial = 0; trial < 400; trial += 1) {
      const costs = Array.from({ length: 2_000 }, () => 100 * Math.exp(normal()))
      const seen = costs.slice(0, 200)
      const spent = seen.reduce((sum, cost) => sum + cost, 0)
      const variance = seen.reduce((sum, cost) => sum + (cost - spent / 200) ** 2, 0) / 200
      const { low, high } = project({ total: 2_000, ended: 200, spent: both(spent), variance: both(variance) })!
      const truth = costs.reduce((sum, cost) => sum + cost, 0)
      if (truth > high.nano) above += 1
      if (truth < low.nano) below += 1
    }
    // A sample that has missed the tail says too little: that side errs more often. The other is what stops jobs.
    expect(below).toBeLessThanOrEqual(8)
    expect(above).toBeLessThanOrEqual(40)
  })
})

describe('a projection that may stop a job', () => {
  it('rests on 100 rows or a twentieth, whichever is more', () => {
    expect(isTelling({ total: 300, ended: 99 })).toBe(false)
    expect(isTelling({ total: 300, ended: 100 })).toBe(true)
    expect(isTelling({ total: 10_000, ended: 499 })).toBe(false)
    expect(isTelling({ total: 10_000, ended: 500 })).toBe(true)
  })

  it('passes a limit with its low end, and not again for what somebody has seen, unless it is a quarter worse', () => {
    const limits = { nano: 100, tokens: null }
    expect(overrun(both(100), limits, null)).toBeNull()
    expect(overrun(both(101), limits, null)).toBe('nano')
    expect(overrun(both(120), limits, both(101))).toBeNull()
    expect(overrun(both(127), limits, both(101))).toBe('nano')
    expect(overrun(both(500), { nano: null, tokens: 10 }, null)).toBe('tokens')
    expect(overrun(both(500), { nano: null, tokens: null }, null)).toBeNull()
  })
})
