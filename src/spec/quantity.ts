const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** A duration as text: `500ms`, `60s`, `2m`, `1.5h`, `7d`. Source of the pattern in the spec's schema. */
export const DURATION_PATTERN = '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'

/** A share as text: `99%`, `0.5%`, or the bare fraction `0.99`. */
export const SHARE_PATTERN = '^((100(\\.0+)?|\\d{1,2}(\\.\\d+)?)%|1(\\.0+)?|0?\\.\\d+|0)$'

/** A sum in dollars as text: up to seven digits before the point and nine after it (see `parseUsd`). */
export const DECIMAL_PATTERN = '^\\d{1,7}(\\.\\d{1,9})?$'

/** `text` in whole milliseconds; `null` when it is no duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  if (match === null) return null
  return Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS])
}

/** A share from 0 to 1, from `99%`, `"0.99"` or `0.99`; `null` when it is none. A percentage is shifted as text, so that 99% is exactly 0.99. */
export function parseShare(value: string | number): number | null {
  if (typeof value === 'number') return value >= 0 && value <= 1 ? value : null
  if (!new RegExp(SHARE_PATTERN).test(value)) return null
  return value.endsWith('%') ? Number(`${value.slice(0, -1)}e-2`) : Number(value)
}

/** The one spelling of a decimal sum: no exponent, no needless zeros. `null` when a number or text is not exactly one of at most nine decimals. */
export function parseDecimal(value: string | number): string | null {
  const text = typeof value === 'number' ? plainNumber(value) : value.trim()
  const match = /^(\d{1,7})(?:\.(\d{1,9}))?$/.exec(text)
  if (match === null) return null
  const whole = (match[1] ?? '').replace(/^0+(?=\d)/, '')
  const fraction = (match[2] ?? '').replace(/0+$/, '')
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** A number without exponent, where nine decimals hold it exactly; else as JavaScript writes it. */
function plainNumber(value: number): string {
  const fixed = value.toFixed(9)
  return Number(fixed) === value ? fixed : String(value)
}
