import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LimitSignal, LimitWindow } from '../../src/domain/limit-signal.ts'
import { createAccountLimits, type Taken } from '../../src/limit/account-limits.ts'
import { DAY_MS, type Demand, MINUTE_MS, NO_LIMITS } from '../../src/limit/demand.ts'

const silent: LimitSignal = { requests: null, tokens: null, inputTokens: null, outputTokens: null, retryAfterMs: null }
const NOBODY: Demand = { requests: 0, inputTokens: 0, outputTokens: 0 }
const one: Demand = { requests: 1, inputTokens: 100, outputTokens: 100 }
const left = (limit: number, remaining: number, windowMs = MINUTE_MS): LimitWindow => ({
  limit,
  remaining,
  resetMs: null,
  windowMs,
})

const step = fc.oneof(
  fc.record({ do: fc.constant('ask' as const), input: fc.nat(2_000), output: fc.nat(500) }),
  fc.record({
    do: fc.constant('answer' as const),
    input: fc.nat(4_000),
    output: fc.nat(1_000),
    remaining: fc.nat(60_000),
  }),
  fc.record({ do: fc.constant('refuse' as const), remaining: fc.nat(1_000) }),
  fc.record({ do: fc.constant('give back' as const) }),
  fc.record({ do: fc.constant('limit' as const), rpm: fc.integer({ min: 1, max: 5_000 }) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 20_000 }) }),
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** An account that steps are taken on, and what a reader of the steps knows of it. */
function trial() {
  const limits = createAccountLimits(0)
  const open: Taken[] = []
  let now = 0
  const end = (used: Demand | null, remaining: number, refused: boolean) => {
    const taken = open.shift()
    if (taken === undefined) return
    const seen = used === null ? null : { signal: { ...silent, tokens: left(60_000, remaining) }, refused }
    limits.end(taken, used, seen, now)
  }
  const take = (does: Step) => {
    switch (does.do) {
      case 'pass':
        now += does.ms
        return
      case 'limit':
        return limits.give({ ...NO_LIMITS, rpm: does.rpm }, now)
      case 'ask': {
        const demand = { requests: 1, inputTokens: does.input, outputTokens: does.output }
        if (limits.waitFor(demand, now) === null) open.push(limits.draw(demand, now))
        return
      }
      case 'answer':
        return end({ requests: 1, inputTokens: does.input, outputTokens: does.output }, does.remaining, false)
      case 'refuse':
        return end({ ...NOBODY, requests: 1 }, does.remaining, true)
      case 'give back':
        return end(null, 0, false)
    }
  }
  return { limits, open, take, now: () => now }
}

function sumOf(demands: readonly Demand[]): Demand {
  return demands.reduce(
    (all, demand) => ({
      requests: all.requests + demand.requests,
      inputTokens: all.inputTokens + demand.inputTokens,
      outputTokens: all.outputTokens + demand.outputTokens,
    }),
    NOBODY,
  )
}

describe('the limits of an account', () => {
  it('count as on its way what was taken and not ended; nothing of it is lost or made', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { limits, open, take } = trial()
        for (const does of steps) {
          take(does)
          expect(limits.inFlight).toEqual(sumOf(open.map(({ demand }) => demand)))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('never make a request wait for ever: after the wait that is told it goes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { limits, take, now } = trial()
        for (const does of steps) take(does)
        let at = now()
        for (let asks = 0; ; asks += 1) {
          const wait = limits.waitFor(one, at)
          if (wait === null) break
          expect(asks).toBeLessThan(5)
          at += wait.ms + 1e-3
        }
      }),
      { numRuns: 200 },
    )
  })

  it('take what is in flight for reserved where the provider says what is left', () => {
    const limits = createAccountLimits(0)
    limits.give({ ...NO_LIMITS, rpm: 600 }, 0)
    const [first] = [limits.draw(one, 0), limits.draw(one, 0), limits.draw(one, 0)]
    limits.end(first as Taken, one, { signal: { ...silent, requests: left(600, 3) }, refused: false }, 0)
    expect(limits.waitFor(one, 0)).toBeNull()
    limits.draw(one, 0)
    // Three were left when the first was let in; three have gone since.
    expect(limits.waitFor(one, 0)?.ms).toBeGreaterThan(0)
  })

  it('forget a window that the provider does not tell of any more', () => {
    const limits = createAccountLimits(0)
    const hear = (window: LimitWindow, now: number) =>
      limits.end(limits.draw(one, now), one, { signal: { ...silent, requests: window }, refused: false }, now)
    hear(left(600, 599, DAY_MS), 0)
    expect(limits.inForce()).toMatchObject([{ windowMs: DAY_MS }])
    hear(left(600, 598), 1_000)
    expect(limits.inForce()).toMatchObject([{ windowMs: MINUTE_MS, limit: 600, source: 'said' }])
  })

  it('do not hold back a request whose limit was taken away', () => {
    const limits = createAccountLimits(0)
    limits.give({ ...NO_LIMITS, rpm: 1 }, 0)
    limits.draw(one, 0)
    expect(limits.waitFor(one, 0)?.ms).toBeGreaterThanOrEqual(60_000)
    limits.give(NO_LIMITS, 0)
    expect(limits.waitFor(one, 0)).toBeNull()
    expect(limits.inForce()).toEqual([])
  })
})
