import type { Range } from '../domain/range.ts'

/**
 * What is believed of batches before one has been seen: the providers promise a day, Anthropic says "most within an hour", and nobody says more.
 * Between ten minutes and a day each doubling of the time is taken to be as likely as the next.
 */
const SOONEST_MS = 10 * 60_000
const LATEST_MS = 24 * 3_600_000

/** As how many batches the belief counts beside those that were seen. */
const BELIEF = 2

/** Batches of an account from which its own times are told. */
export const ENOUGH_BATCHES = 3

/** How likely it is that a batch is back within `ms`, 0..1. `past`: how long the account's batches have taken, ms. */
export function backWithin(ms: number, past: readonly number[]): number {
  if (ms <= 0) return 0
  const believed = Math.log(Math.max(1, ms / SOONEST_MS)) / Math.log(LATEST_MS / SOONEST_MS)
  const seen = past.filter((each) => each <= ms).length
  return (seen + BELIEF * Math.min(1, believed)) / (past.length + BELIEF)
}

/**
 * The share of a job's rows that is expected back within `ms`, 0..1, where its batches have to go in so many waves, because the account's queue
 * holds no more at a time.
 */
export function shareBackWithin(ms: number, past: readonly number[], waves: number): number {
  let share = 0
  for (let wave = 1; wave <= waves; wave += 1) share += backWithin(ms / wave, past)
  return share / waves
}

/** How long batches take, from those of the account: a tenth is faster than `low`, a tenth slower than `high`. `null`: too few have been seen. */
export function turnaroundRange(past: readonly number[], waves = 1): Range | null {
  if (past.length < ENOUGH_BATCHES) return null
  const sorted = past.toSorted((a, b) => a - b)
  const at = (share: number) => (sorted[Math.round(share * (sorted.length - 1))] as number) * waves
  return { low: at(0.1), expected: at(0.5), high: at(0.9) }
}
