const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Pauses after the first, the second, … attempt that failed, ms: the schedule that the Standard Webhooks specification gives as an example. */
export const PAUSES_MS: readonly number[] = Object.freeze([
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
])

/** A pause grows by so much of itself at the most: those who failed together do not come back together. */
const SPREAD = 0.1

/** No receiver is waited for longer between two attempts, whatever it asks for. */
const LONGEST_MS = 24 * HOUR

/**
 * How long to wait after so many attempts, ms; `null`: that was the last one. `askedMs` is what the receiver asked for: it can make the pause longer, up
 * to a day, and never shorter. `random` is uniform in [0, 1).
 */
export function pauseMs(attempts: number, random: number, askedMs = 0): number | null {
  const pause = PAUSES_MS[attempts - 1]
  if (pause === undefined) return null
  return Math.round(Math.max(pause, Math.min(askedMs, LONGEST_MS)) * (1 + SPREAD * random))
}
