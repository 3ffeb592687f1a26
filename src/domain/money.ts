/**
 * Money is an integer of nano-dollars (1 USD = 1,000,000,000), held in a `number`: exact up to 9,007,199 USD a sum.
 * Unknown is `null`, never 0.
 */
export type NanoUsd = number

export const NANO_PER_USD = 1_000_000_000

/** Prices of one model in nano-dollars per million tokens, as decimal-exact integers. `null`: not known for that kind. */
export interface Price {
  readonly inputNanoPerMillion: number
  readonly outputNanoPerMillion: number
  /** Cached input; falls back to the input price. */
  readonly cachedInputNanoPerMillion: number | null
  /** Input written to a cache; falls back to the input price. */
  readonly cacheWriteNanoPerMillion: number | null
  /** What a lane charges of it, in thousandths, where that is not all: 500 for half price. */
  readonly lanePermille?: number
  /** Where the price comes from, for reports: `spec`, `simulator`, or the table and its date. */
  readonly source: string
}

/** A live price as a lane charges it, in thousandths of it. */
export function onLane(live: Price | null, lanePermille: number): Price | null {
  return live === null ? null : { ...live, lanePermille }
}

/**
 * Parses a decimal string of dollars ("0.25", "12") to nano-dollars without passing through binary fractions.
 * Digits past the ninth decimal are refused. Returns `null` when the text is no such number.
 */
export function parseUsd(text: string): NanoUsd | null {
  const match = /^(\d{1,7})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match === null) return null
  return Number(match[1]) * NANO_PER_USD + Number((match[2] ?? '').padEnd(9, '0'))
}

/** Dollars as a JSON number, for output columns and summaries: nine decimals at most. */
export function toUsd(nano: NanoUsd): number {
  return nano / NANO_PER_USD
}

/** Dollars for people: more decimals the smaller the sum is, so that a small cost never reads as nothing. */
export function formatUsd(nano: NanoUsd | null): string {
  if (nano === null) return 'unknown'
  const usd = toUsd(nano)
  if (usd === 0) return '$0.00'
  const decimals = Math.abs(usd) < 0.0001 ? 7 : Math.abs(usd) < 0.01 ? 5 : Math.abs(usd) < 1 ? 4 : 2
  return `$${usd.toFixed(decimals)}`
}
