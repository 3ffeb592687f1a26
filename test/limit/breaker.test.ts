import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Cause } from '../../src/domain/failure.ts'
import {
  type Breaker,
  CLOSED,
  downFor,
  failed,
  OUTAGE_FAILURES,
  OUTAGE_PATIENCE_MS,
  OUTAGE_SPAN_MS,
  REFUSAL_PATIENCE_MS,
  speaksOfOutage,
} from '../../src/limit/breaker.ts'

/** The state after failures at these times, with no answer between them. */
const failing = (times: readonly number[], cause: Cause = 'connection'): Breaker =>
  times.reduce<Breaker>((state, at) => failed(state, cause, at), CLOSED)

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
        expect(failing(times)).toEqual({
          failuresInARow: times.length,
          refusalsInARow: 0,
          sinceMs: first,
          open: opens,
          cause: 'connection',
        })
        expect(downFor(failing(times), last)).toBeNull()
      }),
    )
  })

  it('means that the provider is down when it outlasts all patience', () => {
    const open = failing(Array.from({ length: 20 }, (_, n) => n * 200))
    expect(downFor(open, OUTAGE_PATIENCE_MS - 1)).toBeNull()
    expect(downFor(open, OUTAGE_PATIENCE_MS)).toBe(OUTAGE_PATIENCE_MS)
    expect(downFor(CLOSED, OUTAGE_PATIENCE_MS)).toBeNull()
  })

  it('means so sooner where the provider is there and turns everything away, however slowly it is asked', () => {
    const refused = failing([0, 1_000, 4_000, 12_000, 26_000], 'rate_limited')
    expect(refused.open).toBe(true)
    expect(downFor(refused, REFUSAL_PATIENCE_MS - 1)).toBeNull()
    expect(downFor(refused, REFUSAL_PATIENCE_MS)).toBe(REFUSAL_PATIENCE_MS)
    expect(downFor(failed(refused, 'connection', 27_000), REFUSAL_PATIENCE_MS)).toBeNull()
  })
})
