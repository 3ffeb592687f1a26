import type { Amount } from '../domain/budget.ts'
import type { BudgetView } from '../domain/budget-view.ts'
import { formatUsd, toUsd } from '../domain/money.ts'
import { count } from './report-figures.ts'

/** `spent $0.4100 · reserved $0.0300 · projected $1.20–$1.60 of $5.00`, for each limit that the job has. */
export function budgetText(view: BudgetView): string {
  const texts: string[] = []
  if (view.limits.nano !== null) texts.push(partText(view, 'nano', formatUsd))
  if (view.limits.tokens !== null) texts.push(`${partText(view, 'tokens', count)} tokens`)
  return texts.join('   ')
}

function partText(view: BudgetView, of: keyof Amount, show: (amount: number) => string): string {
  const { spent, doubtful, reserved, projection, limits } = view
  const parts = [`spent ${show(spent[of])}`]
  if (doubtful[of] > 0) parts.push(`in doubt ${show(doubtful[of])}`)
  if (reserved[of] > 0) parts.push(`reserved ${show(reserved[of])}`)
  if (projection !== null) parts.push(`projected ${show(projection.low[of])}–${show(projection.high[of])}`)
  return `${parts.join(' · ')} of ${show(limits[of] ?? 0)}`
}

/** The same for programs. */
export function budgetEvent(view: BudgetView | null): object | null {
  if (view === null) return null
  const { limits, spent, doubtful, reserved, projection } = view
  const usd = (nano: number | undefined | null) => (nano === undefined || nano === null ? null : toUsd(nano))
  return {
    usd: usd(limits.nano),
    tokens: limits.tokens,
    spent: { usd: usd(spent.nano), tokens: spent.tokens },
    in_doubt: { usd: usd(doubtful.nano), tokens: doubtful.tokens },
    reserved: { usd: usd(reserved.nano), tokens: reserved.tokens },
    projected:
      projection === null
        ? null
        : {
            low: { usd: usd(projection.low.nano), tokens: projection.low.tokens },
            high: { usd: usd(projection.high.nano), tokens: projection.high.tokens },
          },
  }
}
