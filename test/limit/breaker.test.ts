import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Breaker,
  CLOSED,
  failed,
  isDown,
  OUTAGE_FAILURES,
  OUTAGE_PATIENCE_MS,
  OUTAGE_SPAN_MS,
  speaksOfOutage,
} from '../../src/limit/breaker.ts'

/** The state after failures at these times, with no answer between them. */
const failing = (times: readonly number[]): Breaker => times.reduce<Breaker>(failed, CLOSED)

describe('a run of failures', () => {
  it('speaks of an outage from the sixteenth on', () => {
    const times = Array.from({ length: OUTAGE_FAILURES }, (_, n) => n)
    expect(speaksOfOutage(failing(times.slice(1)))).toBe(false)
    expect(speaksOfOutage(failing(times))).toBe(true)
  })

  it('opens the breaker only when it lasts', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5_000 }), { minLength: 1, maxLength: 40 }), (drawn) => {
        const times = drawn.toSorted((a, b) => a - b)
        const [first, last] = [times[0] as number, times.at(-1) as number]
        const opens = times.some((at, n) => n + 1 >= OUTAGE_FAILURES && at - first >= OUTAGE_SPAN_MS)
        expect(failing(times)).toEqual({ failuresInARow: times.length, sinceMs: first, open: opens })
        expect(isDown(failing(times), last)).toBe(false)
      }),
    )
  })

  it('means that the provider is down when it outlasts all patience', () => {
    const open = failing(Array.from({ length: 20 }, (_, n) => n * 200))
    expect(isDown(open, OUTAGE_PATIENCE_MS - 1)).toBe(false)
    expect(isDown(open, OUTAGE_PATIENCE_MS)).toBe(true)
    expect(isDown(CLOSED, OUTAGE_PATIENCE_MS)).toBe(false)
  })
})
