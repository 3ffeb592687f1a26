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

/** The view of a job's budget; `null`: it has none. */
export function viewBudget(limits: BudgetLimits, seen: BudgetSeen, isOver: boolean): BudgetView | null {
  if (limits.nano === null && limits.tokens === null) return null
  const { spent, doubtful, reserved, rowsTotal: total, rowsEnded: ended, variance } = seen
  const projection = isOver ? null : project({ total, ended, spent: plus(spent, doubtful), variance })
  return { limits, spent, doubtful, reserved, projection }
}
