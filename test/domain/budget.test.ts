import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { AttemptFact } from '../../src/domain/attempt.ts'
import { chargeOf, covers, limitsOf, minus, NOTHING, plus } from '../../src/domain/budget.ts'
import { costOf, NO_USAGE, worstUsage } from '../../src/domain/usage.ts'
import { factOf, intentOf } from '../conformance/store-fixture.ts'

const intent = intentOf({ jobNo: 1, chunkNo: 0, epoch: 1 }, 0)
const fact = (more: Partial<AttemptFact>) => factOf(intent, more)
const WORST = { nano: 1_000, tokens: 110 }
const unanswered = { usage: NO_USAGE, costNano: 0, status: null } as const

describe('what an ended attempt takes out of a budget', () => {
  it('is what the ledger says of an answer', () => {
    expect(chargeOf(fact({}))).toEqual({ used: { nano: 300, tokens: 44 }, doubtful: NOTHING })
  })

  it.each([
    ['a refusal', { ...unanswered, cause: 'rate_limited', status: 429 }],
    ['an error of the provider', { ...unanswered, cause: 'provider_error', status: 500 }],
    ['a gateway that waited in vain', { ...unanswered, cause: 'timeout', status: 504 }],
    ['a connection that was never made', { ...unanswered, cause: 'connection', providerCode: 'ECONNREFUSED' }],
    ['a host that is not known', { ...unanswered, cause: 'connection', providerCode: 'ENOTFOUND' }],
  ] as const)('is nothing for %s', (_what, more) => {
    expect(chargeOf(fact(more))).toEqual({ used: NOTHING, doubtful: NOTHING })
  })

  it.each([
    ['an answer that did not come in time', { ...unanswered, cause: 'timeout' }],
    ['a connection that broke', { ...unanswered, cause: 'connection', providerCode: 'ECONNRESET' }],
    ['an answer without its usage', { usage: NO_USAGE, costNano: null }],
  ] as const)('is the worst case, in doubt, for %s', (_what, more) => {
    expect(chargeOf(fact(more))).toEqual({ used: NOTHING, doubtful: WORST })
  })

  it('is the tokens alone where the price is not known', () => {
    const unpriced = factOf({ ...intent, worstCostNano: null }, { costNano: null })
    expect(chargeOf(unpriced)).toEqual({ used: { nano: 0, tokens: 44 }, doubtful: NOTHING })
  })
})

describe('limits', () => {
  it('are those of the spec, unless they were set since', () => {
    const spec = { usdNano: 5, tokens: null, rowTokens: null, onExceed: 'pause' } as const
    expect(limitsOf(spec, { budgetNano: null, budgetTokens: null })).toEqual({ nano: 5, tokens: null })
    expect(limitsOf(spec, { budgetNano: 9, budgetTokens: 7 })).toEqual({ nano: 9, tokens: 7 })
  })
})

describe('a worst case', () => {
  const price = fc.record({
    inputNanoPerMillion: fc.nat(1_000_000_000),
    outputNanoPerMillion: fc.nat(1_000_000_000),
    cachedInputNanoPerMillion: fc.option(fc.nat(1_000_000)),
    cacheWriteNanoPerMillion: fc.option(fc.nat(2_000_000_000)),
    source: fc.constant('spec'),
  })

  it('is never below what a request within its bounds costs, whatever of it was cached', () => {
    fc.assert(
      fc.property(
        price,
        fc.nat(100_000),
        fc.nat(10_000),
        fc.float({ min: 0, max: 1, noNaN: true }),
        (at, input, output, part) => {
          fc.pre((at.cachedInputNanoPerMillion ?? 0) <= at.inputNanoPerMillion)
          const written = Math.floor(input * part)
          const used = {
            inputTokens: input,
            cachedInputTokens: Math.floor((input - written) * part),
            cacheWriteTokens: written,
            outputTokens: Math.floor(output * part),
            reasoningTokens: 0,
          }
          expect(costOf(used, at) as number).toBeLessThanOrEqual(costOf(worstUsage(input, output, at), at) as number)
        },
      ),
    )
  })
})

describe('amounts', () => {
  it('add and take away in both parts, and cover only where both do', () => {
    const amount = fc.record({ nano: fc.nat(1_000), tokens: fc.nat(1_000) })
    fc.assert(
      fc.property(amount, amount, (a, b) => {
        expect(minus(plus(a, b), b)).toEqual(a)
        expect(covers(plus(a, b), a)).toBe(true)
        expect(covers(a, b)).toBe(a.nano >= b.nano && a.tokens >= b.tokens)
      }),
    )
  })
})
