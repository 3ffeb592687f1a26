import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactNumber, parseExact, stringifyExact } from '../../src/domain/exact-json.ts'
import type { Value } from '../../src/domain/row.ts'

describe('parseExact', () => {
  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-123456789012345678901234567890', -123456789012345678901234567890n],
    ['0.1', 0.1],
    ['0.30000000000000004', 0.30000000000000004],
    ['3.14159265358979323846', '3.14159265358979323846'],
    ['1.50000000000000000000', 1.5],
    ['100000000000000000.5', '100000000000000000.5'],
    ['1e3', 1000],
    ['1E+20', 1e20],
    ['1e400', '1e400'],
    ['-1e-400', '-1e-400'],
    ['0e999999999999', 0],
    ['5e-324', 5e-324],
  ] as const)('reads %s', (text, value) => {
    expect(parseExact(text)).toStrictEqual(value)
    expect(parseExact(`{"a":[ ${text}]}`)).toStrictEqual({ a: [value] })
  })

  it('leaves digits inside of strings alone', () => {
    expect(parseExact('["card 4111111111111111", "a 1e5", "\\"a\\": 12345678901234567890"]')).toStrictEqual([
      'card 4111111111111111',
      'a 1e5',
      '"a": 12345678901234567890',
    ])
  })

  it('keeps a key named __proto__ as a plain key', () => {
    const value = parseExact('{"__proto__":{"a":12345678901234567890}}') as { [key: string]: Value }
    expect(Object.keys(value)).toStrictEqual(['__proto__'])
    expect(stringifyExact(value)).toBe('{"__proto__":{"a":12345678901234567890}}')
  })

  it('throws SyntaxError on what is no JSON', () => {
    expect(() => parseExact('{"a":12345678901234567890')).toThrow(SyntaxError)
    expect(() => parseExact('nope')).toThrow(SyntaxError)
  })
})

describe('stringifyExact', () => {
  it('writes big integers as digits, and never as null or a string', () => {
    expect(stringifyExact({ a: 12345678901234567890n, b: [1n] })).toBe('{"a":12345678901234567890,"b":[1]}')
  })

  it('writes what JSON has no number for as its name', () => {
    expect(stringifyExact([Number.NaN, Number.POSITIVE_INFINITY, null])).toBe('["NaN","Infinity",null]')
  })

  it('is undone by parseExact', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
      fc.maxSafeInteger(),
      fc.bigInt().filter((n) => n > BigInt(Number.MAX_SAFE_INTEGER) || n < -BigInt(Number.MAX_SAFE_INTEGER)),
      fc.boolean(),
      fc.constant(null),
    )
    const { value } = fc.letrec<{ value: Value }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 4, noNullPrototype: true }),
      ),
    }))
    fc.assert(
      fc.property(value, (sample) => {
        expect(parseExact(stringifyExact(sample))).toStrictEqual(sample)
      }),
      { numRuns: 1000 },
    )
  })

  it('keeps every decimal, as a number that prints the same value or as its text', () => {
    const decimal = fc.stringMatching(/^-?(0|[1-9]\d{0,24})\.\d{1,24}$/)
    fc.assert(
      fc.property(decimal, (text) => {
        const value = exactNumber(text)
        if (typeof value === 'string') expect(value).toBe(text)
        else expect(Number(value)).toBe(Number(text))
      }),
    )
  })
})
