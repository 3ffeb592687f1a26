import type { Value } from './row.ts'

/**
 * JSON whose numbers survive: what a double holds exactly is a `number`, a larger integer is a `bigint`, and any other number that a double
 * would change (a decimal of many digits, `1e400`) is a `string` of its digits as written. "Exactly" means that the shortest text of the
 * double is the same number again: 0.1 stays a number.
 */

/** Reviver context and `JSON.rawJSON` (ES2026): in Node since 21, not yet in TypeScript's library. */
const json = JSON as unknown as {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): object
}

/** A number of 16 characters or more, or one with an exponent, where a number may begin. Also met inside of strings: then only the slow way is taken. */
const RISKY_NUMBER = /(?:^|[-[,:\s])(?:[\d.]{16}|[\d.]+[eE])/

/** Sixteen digits in a row: perhaps a double that would be read back as a `bigint`. */
const LONG_DIGITS = /\d{16}/

/** Parses JSON text. Throws `SyntaxError`, as `JSON.parse` does. Of a name given twice in an object the last counts. */
export function parseExact(text: string): Value {
  if (!RISKY_NUMBER.test(text)) return JSON.parse(text) as Value
  return json.parse(text, (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined ? exactNumber(context.source) : value,
  ) as Value
}

/** Writes a value so that `parseExact` gives it back. Numbers that JSON has no form for (NaN, infinities) become strings. */
export function stringifyExact(value: Value): string {
  const text = plainJson(value)
  if (text !== null && !LONG_DIGITS.test(text)) return text
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return json.rawJSON(part.toString())
    if (typeof part === 'number') return exactPart(part)
    return part
  })
}

/** The value of a number's text by the rule above. `text` must be a JSON number. */
export function exactNumber(text: string): number | bigint | string {
  const value = Number(text)
  if (/^-?\d+$/.test(text)) return Number.isSafeInteger(value) ? value : BigInt(text)
  return Number.isFinite(value) && sameNumber(text, String(value)) ? value : text
}

/** `null` where plain JSON cannot hold the value. */
function plainJson(value: Value): string | null {
  try {
    const text = JSON.stringify(value, undefined)
    // NaN and infinities are written as null: only a value that holds a null needs the closer look.
    return text.includes('null') && holdsNonFinite(value) ? null : text
  } catch (error) {
    if (error instanceof TypeError) return null
    throw error
  }
}

function holdsNonFinite(value: Value): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  if (value === null || typeof value !== 'object') return false
  return (Array.isArray(value) ? value : Object.values(value)).some(holdsNonFinite)
}

function exactPart(part: number): unknown {
  if (!Number.isFinite(part)) return String(part)
  // Written with an exponent, since a row of digits would be read back as a bigint.
  if (Number.isInteger(part) && !Number.isSafeInteger(part)) return json.rawJSON(part.toExponential())
  return part
}

function sameNumber(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [decimalParts(a), decimalParts(b)]
  return left.digits === right.digits && left.exponent === right.exponent && left.negative === right.negative
}

/** Sign, digits without zeros at either end, and the power of ten that they are multiplied by. */
function decimalParts(text: string): { negative: boolean; digits: string; exponent: bigint } {
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text)
  const [, sign = '', whole = '', fraction = '', power = '0'] = match ?? []
  const all = (whole + fraction).replace(/^0+/, '')
  const digits = all.replace(/0+$/, '')
  if (digits === '') return { negative: false, digits: '0', exponent: 0n }
  return {
    negative: sign === '-',
    digits,
    exponent: BigInt(power) - BigInt(fraction.length) + BigInt(all.length - digits.length),
  }
}
