import type { BudgetFit, Fit, PlannedUse } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import type { BudgetSpec } from '../domain/spec.ts'

/** How each limit of the budget stands to what is expected; one that cannot be judged, for want of a price, may not fit. */
export function budgetFits(budget: Pick<BudgetSpec, 'usdNano' | 'tokens'>, use: PlannedUse): readonly BudgetFit[] {
  const { inputTokens, outputTokens, costNano } = use
  const tokens: Range = {
    low: inputTokens.low + outputTokens.low,
    expected: inputTokens.expected + outputTokens.expected,
    high: inputTokens.high + outputTokens.high,
  }
  return [
    ...(budget.usdNano === null
      ? []
      : [
          {
            limit: 'usd' as const,
            amount: budget.usdNano,
            fit: costNano === null ? ('may not fit' as const) : fitOf(costNano, budget.usdNano),
          },
        ]),
    ...(budget.tokens === null
      ? []
      : [{ limit: 'tokens' as const, amount: budget.tokens, fit: fitOf(tokens, budget.tokens) }]),
  ]
}

function fitOf({ low, high }: Range, amount: number): Fit {
  if (high <= amount) return 'fits'
  return low > amount ? 'does not fit' : 'may not fit'
}
