import type { Price } from '../domain/money.ts'
import type { ModelTarget } from '../domain/request.ts'
import type { PriceSpec, Spec } from '../domain/spec.ts'
import { formatPath, type Path, type Report } from '../spec/positions.ts'
import type { CheckTools } from './check-tools.ts'

/** Why a budget cannot be kept with one of the spec's models. */
export interface BudgetObstacle {
  readonly path: Path
  readonly message: string
  readonly hint: string
}

/** The price of a model, its spec's own first. */
type PriceOf = (target: ModelTarget, own: PriceSpec | null) => Price | null

/** Why dollars could not be reserved before each request of this spec; nothing, where they can. */
export function budgetObstacles(spec: Pick<Spec, 'model'>, priceOf: PriceOf): readonly BudgetObstacle[] {
  const { target, price, fallback } = spec.model
  const models: (readonly [Path, ModelTarget, PriceSpec | null])[] = [
    [['model'], target, price],
    ...fallback.map((each, index) => [['model', 'fallback', index], each.target, each.price] as const),
  ]
  // A blank stands for what was wrong and has been reported.
  return models
    .filter(([, { id }]) => id !== '')
    .flatMap(([path, model, own]) => obstaclesOf(path, model, priceOf(model, own)))
}

function obstaclesOf(path: Path, { id, params }: ModelTarget, price: Price | null): BudgetObstacle[] {
  const found: BudgetObstacle[] = []
  if (price === null) {
    found.push({
      path: [...path, 'id'],
      message: `the price of ${id} is not known, so a budget in dollars cannot be kept`,
      hint: `Give it: ${formatPath([...path, 'price'])}: { input: "0.25", output: "2.00" }, in US dollars per million tokens; or use budget.tokens.`,
    })
  }
  if (params.max_output_tokens === undefined) {
    found.push({
      path: path.length === 1 ? ['budget', 'usd'] : [...path, 'id'],
      message: `a budget in dollars needs max_output_tokens: without it nobody knows what a request to ${id} may cost`,
      hint: `Give it: ${formatPath([...path, 'params'])}: { max_output_tokens: 500 }.`,
    })
  }
  return found
}

/** Whether the budget can be kept: before each request its worst case is reserved, and for that it must be known. */
export function checkBudget(spec: Spec, tools: CheckTools, report: Report): void {
  const { usdNano, tokens } = spec.budget
  if (usdNano !== null) {
    for (const { path, message, hint } of budgetObstacles(spec, tools.price)) report.error(path, message, hint)
  } else if (tokens !== null && spec.model.target.params.max_output_tokens === undefined) {
    report.warning(
      ['budget', 'tokens'],
      'without model.params.max_output_tokens an answer is taken to have 4096 tokens at most',
      'Longer ones can pass budget.tokens by the difference.',
    )
  }
}
