import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cut, grow, START_LIMIT, startConcurrency, withMax } from '../../src/limit/concurrency.ts'

describe('adaptive concurrency', () => {
  it('doubles once per round trip until the first push-back', () => {
    let state = startConcurrency(64)
    for (let answers = 0; answers < START_LIMIT; answers += 1) state = grow(state, state.limit)
    expect(state.limit).toBe(2 * START_LIMIT)
  })

  it('grows by one per round trip after a cut', () => {
    let state = cut({ ...startConcurrency(64), limit: 40 }, 1, 2)
    expect(state.limit).toBe(28)
    for (let answers = 0; answers < 28; answers += 1) state = grow(state, state.limit)
    expect(state.limit).toBe(29)
  })

  it('cuts once for a burst: requests sent before the cut say nothing new', () => {
    const once = cut({ ...startConcurrency(64), limit: 40 }, 10, 20)
    expect(cut(once, 15, 21)).toBe(once)
    expect(cut(once, 20, 22)).toBe(once)
    expect(cut(once, 21, 23).limit).toBeLessThan(once.limit)
  })

  it('does not grow where the limit was not used', () => {
    const state = { ...startConcurrency(64), limit: 40 }
    expect(grow(state, 10)).toBe(state)
  })

  it('stays between 1 and the maximum, whatever happens', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('grow' as const), inFlight: fc.nat(300) }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(1000) }),
      fc.record({ kind: fc.constant('max' as const), max: fc.integer({ min: 1, max: 256 }) }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.array(event, { maxLength: 200 }), (max, events) => {
        let state = startConcurrency(max)
        let now = 0
        for (const one of events) {
          now += 1
          if (one.kind === 'grow') state = grow(state, one.inFlight)
          else if (one.kind === 'cut') state = cut(state, one.at, now)
          else state = withMax(state, one.max)
          expect(state.limit).toBeGreaterThanOrEqual(1)
          expect(state.limit).toBeLessThanOrEqual(state.max)
        }
      }),
    )
  })
})
