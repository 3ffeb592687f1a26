import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseUsd } from '../../src/domain/money.ts'
import {
  DECIMAL_PATTERN,
  DURATION_PATTERN,
  parseDecimal,
  parseDuration,
  parseShare,
  SHARE_PATTERN,
} from '../../src/spec/quantity.ts'

describe('quantities', () => {
  it.each([
    ['500ms', 500],
    ['60s', 60_000],
    ['2m', 120_000],
    ['1.5h', 5_400_000],
    ['90d', 7_776_000_000],
    ['0s', 0],
  ])('reads the duration %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
    expect(text).toMatch(new RegExp(DURATION_PATTERN))
  })

  it.each(['60', '1h30m', '-1s', '1 h', 's', '1y', ''])('refuses the duration %j', (text) => {
    expect(parseDuration(text)).toBeNull()
    expect(text).not.toMatch(new RegExp(DURATION_PATTERN))
  })

  it.each([
    ['99%', 0.99],
    ['5%', 0.05],
    ['0.1%', 0.001],
    ['100%', 1],
    ['0.2', 0.2],
    [0.2, 0.2],
    [1, 1],
    ['0%', 0],
  ])('reads the share %s', (value, share) => {
    expect(parseShare(value)).toBe(share)
  })

  it.each(['101%', '99', '-1%', '1.5', 99, -0.1, Number.NaN, '%'])('refuses the share %s', (value) => {
    expect(parseShare(value)).toBeNull()
    if (typeof value === 'string') expect(value).not.toMatch(new RegExp(SHARE_PATTERN))
  })

  it('reads every percentage with two decimals exactly', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10_000 }), (n) => {
        expect(parseShare(`${(n / 100).toFixed(2)}%`)).toBe(Number(`${n}e-4`))
      }),
    )
  })

  it('gives one spelling to a decimal, as number or text', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999 }), fc.integer({ min: 0, max: 999_999_999 }), (whole, nano) => {
        const text = `${whole}.${String(nano).padStart(9, '0')}`
        const canonical = parseDecimal(text)
        expect(parseUsd(canonical ?? '')).toBe(parseUsd(text))
        expect(canonical).not.toMatch(/\.\d*0$|\.$|^0\d/)
        expect(parseDecimal(canonical ?? '')).toBe(canonical)
      }),
    )
    expect(parseDecimal(0.0005)).toBe('0.0005')
    expect(parseDecimal(1e-7)).toBe('0.0000001')
    expect(parseDecimal('02.50')).toBe('2.5')
  })

  it.each(['-1', '1e3', '0.1234567891', '12345678', 'x', '', 1e-10, 1e9, 0.1 + 0.2])(
    'refuses the decimal %s',
    (value) => {
      expect(parseDecimal(value)).toBeNull()
      if (typeof value === 'string') expect(value).not.toMatch(new RegExp(DECIMAL_PATTERN))
    },
  )
})
