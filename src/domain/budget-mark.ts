import type { Amount, BudgetLimits } from './budget.ts'

/** Shares of a budget, in percent, of which somebody can be told. */
export const BUDGET_MARKS = [50, 80, 100] as const

/** That so much of one of a job's budgets is used. Nano-dollars, or tokens. */
export interface BudgetMark {
  readonly limit: 'usd' | 'tokens'
  readonly of: number
  readonly mark: (typeof BUDGET_MARKS)[number]
  readonly used: number
}

/**
 * The highest mark that each of a job's budgets has reached; what may have been billed counts as used. `stoppedFrom`: the job stands still because there
 * was no room for its next request, and the budget that is nearest to its end is the one without, if at least this share of it is used. That one is used
 * up, though a rest of it is left. `null`: the job does not stand still for that.
 */
export function marksReached(limits: BudgetLimits, used: Amount, stoppedFrom: number | null): readonly BudgetMark[] {
  const budgets = [
    { limit: 'usd' as const, of: limits.nano ?? 0, used: used.nano },
    { limit: 'tokens' as const, of: limits.tokens ?? 0, used: used.tokens },
  ]
  return budgets
    .filter(({ of }) => of > 0)
    .toSorted((a, b) => b.used / b.of - a.used / a.of)
    .flatMap((budget, n) => {
      const isUp = n === 0 && stoppedFrom !== null && budget.used >= stoppedFrom * budget.of
      const mark = isUp ? 100 : BUDGET_MARKS.findLast((percent) => budget.used * 100 >= percent * budget.of)
      return mark === undefined ? [] : [{ ...budget, mark }]
    })
}

/** Whether a mark is news: none as high was told of this same budget. A budget that was raised, or cut, is another one. */
export function isNewMark({ limit, of, mark }: BudgetMark, told: readonly BudgetMark[]): boolean {
  return !told.some((before) => before.limit === limit && before.of === of && before.mark >= mark)
}
