/** How often a batch is looked at. */
export interface LookTimes {
  /** Between the first looks, ms. */
  readonly firstMs: number
  /** Between two looks at the most, ms. */
  readonly mostMs: number
}

/** For real providers: an hour after its submission a batch is looked at every five minutes. */
export const LOOK_TIMES: LookTimes = Object.freeze({ firstMs: 5_000, mostMs: 300_000 })

/** Of what has passed since the beginning, the part that passes until the next look. */
const SHARE = 1 / 12
/** How far a look may move either way, so that the batches of one evening are not asked for all at once. */
const SWAY = 0.1

/**
 * How long to wait before the next look at what began `ageMs` ago: longer the older it is, between the two bounds. `draw` in [0, 1) moves it by up
 * to a tenth. The same for new tries of what failed, which thereby come ever more rarely.
 */
export function waitBeforeLook(ageMs: number, { firstMs, mostMs }: LookTimes, draw: number): number {
  const plainMs = Math.min(mostMs, Math.max(firstMs, ageMs * SHARE))
  return Math.round(plainMs * (1 + SWAY * (2 * draw - 1)))
}
