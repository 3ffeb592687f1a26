import type { DrawnRow } from './pilot-draw.ts'
import type { Tally } from './row-tally.ts'

/** The tally as it is once these rows are answered: they are reused, and not run. */
export function withoutPilot(tally: Tally, answered: readonly DrawnRow[]): Tally {
  const { rows } = tally
  const toRun = Math.max(0, rows.toRun - answered.length)
  const done = rows.toRun - toRun
  const bytes = Math.max(0, tally.bytes - answered.reduce((sum, row) => sum + row.bytes, 0))
  const left = rows.toRun === 0 ? 0 : toRun / rows.toRun
  // What stands around the texts of a request is the same for every row.
  const around = (tally.worstInputTokens - tally.bytes) * left
  return {
    rows: { ...rows, toRun, reuse: rows.reuse + done },
    bytes,
    worstInputTokens: Math.round(bytes + around),
    worstOutputTokens: Math.round(tally.worstOutputTokens * left),
  }
}
