import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addSums, dayOf, dayText, firstDay, type LedgerPart, ledgerOf, NO_SUMS } from '../../src/domain/ledger.ts'
import type { Price } from '../../src/domain/money.ts'
import { costOf, NO_USAGE, worstUsage } from '../../src/domain/usage.ts'

const PRICE: Price = {
  inputNanoPerMillion: 3_000_000_000,
  outputNanoPerMillion: 15_000_000_000,
  cachedInputNanoPerMillion: 300_000_000,
  cacheWriteNanoPerMillion: 3_750_000_000,
  source: 'test',
}

const part = (more: Partial<LedgerPart> = {}): LedgerPart => ({
  round: 0,
  day: 20_000,
  model: 'anthropic/a',
  lane: 'live',
  state: 'booked',
  cause: null,
  price: PRICE,
  ...NO_SUMS,
  ...more,
})

const anyPart = fc
  .record({
    model: fc.constantFrom('a', 'b', 'c'),
    lane: fc.constantFrom('live' as const, 'batch' as const),
    state: fc.constantFrom('open' as const, 'booked' as const, 'lost' as const, 'orphaned' as const),
    cause: fc.constantFrom(null, 'timeout' as const, 'refused' as const),
    attempts: fc.nat(9),
    inputTokens: fc.nat(999),
    costNano: fc.nat(1_000_000_007),
    unpriced: fc.nat(2),
  })
  .map((fields) => part(fields.state === 'open' ? { ...fields, ...NO_SUMS, attempts: fields.attempts } : fields))

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0)

describe('a ledger', () => {
  it('is the sum of its parts, whichever way they are cut', () => {
    fc.assert(
      fc.property(fc.array(anyPart), (parts) => {
        const ledger = ledgerOf(parts)
        const ended = parts.filter(({ state }) => state !== 'open').reduce(addSums, NO_SUMS)
        expect(ledger).toMatchObject(ended)
        expect(ledger.byModel.reduce(addSums, NO_SUMS)).toEqual(ended)
        expect(sumOf(ledger.byWay.map(({ attempts }) => attempts))).toBe(ended.attempts)
        expect(sumOf(ledger.byWay.map(({ costNano }) => costNano))).toBe(ended.costNano)
        expect(ledger.booked + ledger.lost + ledger.orphaned).toBe(ledger.attempts)
        expect(ledger.attempts + ledger.open).toBe(parts.reduce((sum, { attempts }) => sum + attempts, 0))
        expect(ledger.lostCostNano + ledger.orphanedCostNano).toBeLessThanOrEqual(ledger.failedCostNano)
        expect(ledger.failedCostNano).toBeLessThanOrEqual(ledger.costNano)
      }),
    )
  })

  it('tells the ways apart: a live request that was charged less than live was served as flex', () => {
    const half = { ...PRICE, lanePermille: 500 }
    const parts = [
      part({ attempts: 2, costNano: 1000 }),
      part({ attempts: 3, costNano: 600, price: half }),
      part({ attempts: 1, costNano: 400, price: { ...half, source: 'another list' } }),
      part({ attempts: 5, costNano: 70, price: half, lane: 'batch' }),
      part({ attempts: 1, unpriced: 1, price: null, lane: 'batch' }),
    ]
    expect(ledgerOf(parts).byWay).toEqual([
      { way: 'live', attempts: 2, costNano: 1000, unpriced: 0, savedNano: 0 },
      { way: 'flex', attempts: 4, costNano: 1000, unpriced: 0, savedNano: 1000 },
      { way: 'batch', attempts: 6, costNano: 70, unpriced: 1, savedNano: 70 },
    ])
  })

  it('says what the provider’s cache saved, writes at their dearer price taken off', () => {
    const write = part({ attempts: 1, inputTokens: 2100, cacheWriteTokens: 2000, costNano: 1 })
    const reads = part({ attempts: 9, inputTokens: 9 * 2100, cachedTokens: 9 * 2000, costNano: 1 })
    const { promptCache } = ledgerOf([write, reads])
    expect(promptCache).toEqual({
      inputTokens: 21_000,
      cachedTokens: 18_000,
      cacheWriteTokens: 2000,
      savedNano: 18_000 * 2700 - 2000 * 750,
    })
    expect(ledgerOf([write]).promptCache.savedNano).toBe(-2000 * 750)
  })

  it('does not take the bound of a lost attempt for something that was written to a cache', () => {
    const lost = part({ state: 'lost', attempts: 1, inputTokens: 5000, cacheWriteTokens: 5000, costNano: 1 })
    expect(ledgerOf([lost]).promptCache).toEqual({
      inputTokens: 0,
      cachedTokens: 0,
      cacheWriteTokens: 0,
      savedNano: null,
    })
  })
})

describe('the worst case of a request', () => {
  it('is not below what any split of its tokens costs', () => {
    const prices = fc.record({
      inputNanoPerMillion: fc.nat(20_000_000_000),
      outputNanoPerMillion: fc.nat(90_000_000_000),
      cachedInputNanoPerMillion: fc.option(fc.nat(2_000_000_000)),
      cacheWriteNanoPerMillion: fc.option(fc.nat(30_000_000_000)),
      source: fc.constant('test'),
    })
    const tokens = fc.tuple(fc.nat(90_000), fc.nat(9_000), fc.double({ min: 0, max: 1, noNaN: true }))
    fc.assert(
      fc.property(prices, tokens, (price, [input, output, share]) => {
        fc.pre((price.cachedInputNanoPerMillion ?? 0) <= price.inputNanoPerMillion)
        const cacheWriteTokens = Math.floor(input * share)
        const cachedInputTokens = Math.floor((input - cacheWriteTokens) * share)
        const usage = { ...NO_USAGE, inputTokens: input, outputTokens: output, cacheWriteTokens, cachedInputTokens }
        const worst = costOf(worstUsage(input, output, price), price) ?? 0
        expect(costOf(usage, price) ?? 0).toBeLessThanOrEqual(worst)
      }),
    )
  })

  it('halves with a lane that charges half, and rounds once', () => {
    const usage = { ...NO_USAGE, inputTokens: 1001 }
    expect(costOf(usage, { ...PRICE, lanePermille: 500 })).toBe(Math.round((1001 * 3000) / 2))
  })
})

describe('days', () => {
  it('are UTC, and read back as they are written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), (atMs) => {
        const text = dayText(dayOf(atMs))
        expect(text).toBe(new Date(atMs).toISOString().slice(0, 10))
        expect(firstDay(text)).toBe(dayOf(atMs))
      }),
    )
    for (const text of ['', '2026-13-01', '2026-02-31', '2025-02-29', 'yesterday', '2026-1-1'])
      expect(firstDay(text)).toBeNaN()
  })
})
