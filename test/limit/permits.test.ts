import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amountOf, type Demand, MINUTE_MS } from '../../src/limit/demand.ts'
import type { LimitName } from '../../src/limit/learned-limit.ts'
import { createPermits } from '../../src/limit/permits.ts'

const REQUESTS: LimitName = { kind: 'requests', windowMs: MINUTE_MS }
const TOKENS: LimitName = { kind: 'tokens', windowMs: MINUTE_MS }
const LIMITS = [REQUESTS, TOKENS]

const demands = fc.record({
  requests: fc.constant(1),
  inputTokens: fc.integer({ min: 1, max: 5_000 }),
  outputTokens: fc.integer({ min: 0, max: 2_000 }),
})
const steps = fc.record({
  demand: demands,
  /** What it really took, of what was thought. */
  used: fc.double({ min: 0, max: 2, noNaN: true }),
  waitMs: fc.integer({ min: 0, max: 2_000 }),
})

/** Of the limits that `demand` counts on, in their order. */
const amounts = (demand: Demand) => LIMITS.map(({ kind }) => amountOf(kind, demand))

describe('permits', () => {
  it('are enough for what was asked for once what they want has come', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 60 }), (all) => {
        const permits = createPermits()
        let now = 0
        for (const { demand, used, waitMs } of all) {
          now += waitMs
          for (const { limit, amount } of permits.wanted(LIMITS, demand, now)) permits.put(limit, amount)
          expect(permits.lacking(LIMITS, demand)).toBeNull()
          permits.take(LIMITS, demand, now)
          LIMITS.forEach((limit, n) => {
            permits.put(limit, Math.trunc((1 - used) * (amounts(demand)[n] as number)))
          })
        }
      }),
    )
  })

  it('account for all that was drawn: taken, or given back in the end', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 60 }), (all) => {
        const permits = createPermits()
        const drawn = new Map<LimitName, number>(LIMITS.map((limit) => [limit, 0]))
        const draw = (wanted: readonly { readonly limit: LimitName; readonly amount: number }[], puts: boolean) => {
          for (const { limit, amount } of wanted) {
            expect(Number.isInteger(amount)).toBe(true)
            drawn.set(limit, (drawn.get(limit) as number) + amount)
            if (puts) permits.put(limit, amount)
          }
        }
        let now = 0
        const taken = [0, 0]
        for (const { demand, waitMs } of all) {
          now += waitMs
          draw(permits.wanted(LIMITS, demand, now), true)
          permits.take(LIMITS, demand, now)
          draw(permits.wanted(LIMITS, null, now), true)
          amounts(demand).forEach((amount, n) => {
            taken[n] = (taken[n] as number) + amount
          })
        }
        draw(permits.rest(LIMITS), false)
        expect(LIMITS.map((limit) => drawn.get(limit))).toEqual(taken)
        expect(permits.lacking(LIMITS, { requests: 1, inputTokens: 0, outputTokens: 0 })).toBe(REQUESTS)
      }),
    )
  })

  it('are drawn for the next request and a tenth of a second; what came back beyond that is given back', () => {
    const permits = createPermits()
    const demand: Demand = { requests: 1, inputTokens: 100, outputTokens: 0 }
    const largest = [0, 0]
    // A hundred a second, for ten seconds.
    for (let now = 0; now < 10_000; now += 10) {
      for (const { limit, amount } of permits.wanted(LIMITS, demand, now)) {
        permits.put(limit, amount)
        const n = LIMITS.indexOf(limit)
        largest[n] = Math.max(largest[n] as number, amount)
      }
      permits.take(LIMITS, demand, now)
    }
    expect(largest[0]).toBeGreaterThanOrEqual(10)
    expect(largest[0]).toBeLessThanOrEqual(12)
    expect(largest[1]).toBeLessThanOrEqual(1_200)
    permits.put(REQUESTS, 500)
    permits.put(TOKENS, -2_000)
    const [requests, tokens] = permits.wanted(LIMITS, demand, 10_000)
    expect(requests?.amount).toBeLessThan(-450)
    expect(tokens?.amount).toBeGreaterThan(2_000)
  })
})
