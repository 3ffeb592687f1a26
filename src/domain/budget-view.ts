import { type Amount, type BudgetLimits, plus } from './budget.ts'
import { type Projection, project } from './projection.ts'

/** Where a job stands with its budget: what is spent, what is held for requests under way, and what it will come to, each apart. */
export interface BudgetView {
  readonly limits: BudgetLimits
  /** What the ledger says. */
  readonly spent: Amount
  /** What may have been billed besides: requests that were never answered. It counts as spent. */
  readonly doubtful: Amount
  /** What workers hold of the budget, and have not used yet. */
  readonly reserved: Amount
  /** `null`: nothing can be said yet, or the job is over. */
  readonly projection: Projection | null
}

/** What is known of a job with a budget. */
export interface BudgetSeen {
  /** What the ledger says. */
  readonly spent: Amount
  /** What may have been billed besides: requests that were never answered. */
  readonly doubtful: Amount
  /** What workers hold of the budget and have not used yet. */
  readonly reserved: Amount
  readonly rowsTotal: number
  readonly rowsEnded: number
  /** Variance of what a row used, over the last of those that ended. */
  readonly variance: Amount
}

/** What the job will use, what is in doubt counted as used; `null`: no row has ended. */
export function projectionOf({ spent, doubtful, rowsTotal, rowsEnded, variance }: BudgetSeen): Projection | null {
  return project({ total: rowsTotal, ended: rowsEnded, spent: plus(spent, doubtful), variance })
}

/** The view of a job's budget; `null`: it has none. */
export function viewBudget(limits: BudgetLimits, seen: BudgetSeen, isOver: boolean): BudgetView | null {
  if (limits.nano === null && limits.tokens === null) return null
  const { spent, doubtful, reserved } = seen
  return { limits, spent, doubtful, reserved, projection: isOver ? null : projectionOf(seen) }
}
