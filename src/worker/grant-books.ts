import type { AttemptFact, AttemptIntent } from '../domain/attempt.ts'
import type { StoreTx } from '../domain/store-tx.ts'

/** How the recorder keeps the grants of budgets in step with what it books. */
export interface GrantBooks {
  /**
   * Books ended attempts against the grants, in the transaction that books them, and before them. Returns the jobs of which no grant stands: their
   * intents must not be written.
   */
  book(tx: StoreTx, intents: readonly AttemptIntent[], facts: readonly AttemptFact[]): Promise<ReadonlySet<number>>
  /** That transaction has committed. */
  booked(facts: readonly AttemptFact[], without: ReadonlySet<number>): void
}
