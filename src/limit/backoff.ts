/** How long to wait before the nth try again: full jitter over an exponential ceiling (AWS Architecture Blog, "Exponential Backoff And Jitter"). */
export interface BackoffPolicy {
  readonly baseMs: number
  readonly capMs: number
}

export const DEFAULT_BACKOFF: BackoffPolicy = Object.freeze({ baseMs: 500, capMs: 60_000 })

/**
 * The wait in ms before try `failures + 1`. `random` is uniform in [0, 1). What the provider asked for is a floor, spread by up to a tenth
 * (at most a second) so that rows that were told the same time do not return together.
 */
export function backoffMs(
  failures: number,
  random: number,
  askedMs: number | null,
  policy: BackoffPolicy = DEFAULT_BACKOFF,
): number {
  if (askedMs !== null) return askedMs + Math.floor(random * Math.min(1000, Math.max(50, askedMs / 10)))
  const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(30, Math.max(0, failures - 1)))
  return Math.floor(random * ceiling)
}
