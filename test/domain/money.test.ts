import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatUsd, NANO_PER_USD, type Price, parseUsd } from '../../src/domain/money.ts'
import { costOf, NO_USAGE } from '../../src/domain/usage.ts'

const price = (input: number, output: number, more: Partial<Price> = {}): Price => ({
  inputNanoPerMillion: input,
  outputNanoPerMillion: output,
  cachedInputNanoPerMillion: null,
  cacheWriteNanoPerMillion: null,
  source: 'test',
  ...more,
})

describe('money', () => {
  it('reads decimal dollars exactly', () => {
    expect(parseUsd('0.25')).toBe(250_000_000)
    expect(parseUsd('12')).toBe(12 * NANO_PER_USD)
    expect(parseUsd('0.000000001')).toBe(1)
    for (const text of ['', '-1', '1.', '.5', '1e3', '0.0000000001', 'NaN', '1,5']) expect(parseUsd(text)).toBeNull()
  })

  it('gives back what was written, for any amount', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_000_000_000_000_000 }), (nano) => {
        const text = `${Math.floor(nano / NANO_PER_USD)}.${String(nano % NANO_PER_USD).padStart(9, '0')}`
        expect(parseUsd(text)).toBe(nano)
      }),
    )
  })

  it('costs the sum of its parts, rounded once', () => {
    const usage = { ...NO_USAGE, inputTokens: 1200, cachedInputTokens: 1000, outputTokens: 30 }
    // 200 at $0.25 + 1000 at $0.025 + 30 at $2 a million.
    const asked = price(250_000_000, 2_000_000_000, { cachedInputNanoPerMillion: 25_000_000 })
    expect(costOf(usage, asked)).toBe(50_000 + 25_000 + 60_000)
    expect(costOf({ ...NO_USAGE, inputTokens: 1 }, price(499_999, 0))).toBe(0)
    expect(costOf({ ...NO_USAGE, inputTokens: 1 }, price(500_000, 0))).toBe(1)
  })

  it('is unknown where the price is, never 0', () => {
    expect(costOf({ ...NO_USAGE, inputTokens: 5 }, null)).toBeNull()
    expect(formatUsd(null)).toBe('unknown')
  })

  it('never shows a small cost as nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 10_000_000_000 }), (nano) => {
        expect(Number(formatUsd(nano).slice(1))).toBeGreaterThan(0)
      }),
    )
  })
})
