import type { Generated } from 'kysely'

/**
 * An account's limits, a row for each: requests a minute, say. A limit is used up along the time: whatever is drawn moves `paid_to_us` on by the
 * share of the window that it takes, so that nothing has to be filled up again, and what a dead worker had drawn comes back by itself.
 */
export interface LimitsTable {
  account: string
  /** What the limit counts. */
  kind: string
  /** Over which it counts. */
  window_ms: number
  /** All that was ever drawn, less what was given back, in what the limit counts. */
  drawn: Generated<number>
  /** The limit is used up to this time, in microseconds, by the database's clock. */
  paid_to_us: Generated<number>
  /** What the latest draw took, in microseconds of the limit's time. */
  cost_us: Generated<number>
  /** How long before now the latest draw let unused time begin. */
  credit_us: Generated<number>
  /** The smallest that any job gives; counts as long as somebody says it again. */
  given: number | null
  given_at_ms: number | null
  /** What was last learned of the provider's own limit, in which way, by whom and when. */
  learned: number | null
  learned_how: string | null
  learned_by: string | null
  learned_at_ms: number | null
}
