import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answered, cameBack, type Load, pushedBack, startLoad, withMaxLoad } from '../../src/limit/load.ts'

/** Rounds in which as many are in flight as may be, each answered after `tookMs(inFlight)`. */
function rounds(count: number, load: Load, tookMs: (inFlight: number) => number, startMs = 0): Load {
  let state = load
  let now = startMs
  for (let round = 0; round < count; round += 1) {
    const inFlight = state.concurrency.limit
    const took = tookMs(inFlight)
    for (let n = 0; n < inFlight; n += 1) {
      state = answered(state, { sentAtMs: now, tookMs: took, inFlight, ahead: inFlight }, now + took)
    }
    now += took
  }
  return state
}

describe('how many may be in flight', () => {
  it('grows to the maximum where answers do not take longer for it', () => {
    expect(rounds(20, startLoad(256), () => 400).concurrency.limit).toBe(256)
  })

  it('stays near what a server works on at once that lets the rest wait', () => {
    for (const places of [3, 10, 50]) {
      const { limit } = rounds(250, startLoad(256), (inFlight) => 400 * Math.max(1, inFlight / places)).concurrency
      expect(limit).toBeGreaterThanOrEqual(places)
      expect(limit).toBeLessThanOrEqual(2 * places)
    }
  })

  it('does not take long answers for a saturated server', () => {
    const short = rounds(20, startLoad(64), () => 400)
    expect(rounds(40, short, () => 1_600, 100_000).concurrency.limit).toBe(64)
  })

  it('follows a server that becomes smaller, and one that becomes larger', () => {
    const served = (places: number) => (inFlight: number) => 400 * Math.max(1, inFlight / places)
    const large = rounds(60, startLoad(256), served(40))
    const small = rounds(120, large, served(10), 100_000)
    expect(small.concurrency.limit).toBeLessThanOrEqual(22)
    expect(rounds(200, small, served(40), 1_000_000).concurrency.limit).toBeGreaterThanOrEqual(38)
  })

  it('is quick to come back after an outage', () => {
    let load = rounds(20, startLoad(64), () => 400)
    for (let n = 1; n < 20; n += 1) load = pushedBack(load, n * 100_000, n * 100_000 + 1)
    expect(load.concurrency.limit).toBe(1)
    expect(rounds(20, cameBack(load), () => 400, 3_000_000).concurrency.limit).toBe(64)
  })

  it('stays between 1 and the maximum, whatever happens', () => {
    const event = fc.oneof(
      fc.record({
        kind: fc.constant('answer' as const),
        tookMs: fc.nat(20_000),
        inFlight: fc.integer({ min: 1, max: 300 }),
      }),
      fc.record({ kind: fc.constant('push' as const) }),
      fc.record({ kind: fc.constant('max' as const), max: fc.integer({ min: 1, max: 256 }) }),
    )
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 256 }), fc.array(event, { maxLength: 300 }), (max, events) => {
        let load = startLoad(max)
        let now = 0
        for (const one of events) {
          now += 1_000
          if (one.kind === 'answer') {
            const { tookMs, inFlight } = one
            load = answered(load, { sentAtMs: now - tookMs, tookMs, inFlight, ahead: inFlight }, now)
          } else if (one.kind === 'push') load = pushedBack(load, now - 1, now)
          else load = withMaxLoad(load, one.max)
          expect(load.concurrency.limit).toBeGreaterThanOrEqual(1)
          expect(load.concurrency.limit).toBeLessThanOrEqual(load.concurrency.max)
        }
      }),
    )
  })
})
