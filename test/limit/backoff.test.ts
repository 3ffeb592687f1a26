import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoffMs, DEFAULT_BACKOFF } from '../../src/limit/backoff.ts'

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('backoff', () => {
  it('never waits longer than the cap, and never a negative time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), random, (failures, draw) => {
        const wait = backoffMs(failures, draw, null)
        expect(wait).toBeGreaterThanOrEqual(0)
        expect(wait).toBeLessThan(DEFAULT_BACKOFF.capMs)
      }),
    )
  })

  it('spreads over the whole ceiling, which doubles with each failure', () => {
    expect(backoffMs(1, 0, null)).toBe(0)
    expect(backoffMs(1, 0.999, null)).toBe(499)
    expect(backoffMs(2, 0.999, null)).toBe(999)
    expect(backoffMs(4, 0.999, null)).toBe(3996)
  })

  it('never comes back before the provider said', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 600_000 }),
        random,
        fc.integer({ min: 0, max: 50 }),
        (asked, draw, failures) => {
          const wait = backoffMs(failures, draw, asked)
          expect(wait).toBeGreaterThanOrEqual(asked)
          expect(wait).toBeLessThanOrEqual(asked + 1000)
        },
      ),
    )
  })
})
