import { NANO_PER_USD, type NanoUsd, toUsd } from '../domain/money.ts'
import type { Plan, PlanBinding, PlannedRoute, PlannedUse } from '../domain/plan.ts'
import { SluiceError } from '../errors.ts'
import { basisText, timeBasis } from './plan-figures.ts'
import { ranged, wayFields } from './route-json.ts'

/** Name and version of a plan as JSON; fields are only ever added to it. */
export const PLAN_VERSION = 'sluice.plan/1'

/** A plan for programs: money in dollars, time in seconds. */
export function planJson(plan: Plan): { readonly type: 'plan' } & Readonly<Record<string, unknown>> {
  const { rows, time, binding, explanation } = plan
  return {
    type: 'plan',
    schema: PLAN_VERSION,
    plan: plan.id,
    made_at: new Date(plan.madeAtMs).toISOString(),
    spec: {
      name: plan.spec.name,
      hash: binding.specHash,
      model: plan.spec.model,
      fallbacks: plan.spec.fallbacks,
      lane: plan.spec.lane,
    },
    input: { hash: binding.inputHash },
    prices: { hash: binding.priceHash, source: plan.priceSource },
    rows: {
      total: rows.total,
      to_run: rows.toRun,
      reuse: rows.reuse,
      duplicates: rows.duplicates,
      skipped: rows.skipped,
      unreadable: rows.unreadable,
      failing: rows.failing,
      exact: rows.exact,
    },
    ...useJson(plan.use),
    time_s:
      time === null
        ? null
        : {
            ...ranged(time.ms, (ms) => ms / 1000),
            bound: time.bound,
            basis: timeBasis(time),
          },
    route: routeJson(plan.route),
    budget: plan.budget.map(({ limit, amount, fit }) => ({
      limit,
      amount: limit === 'usd' ? toUsd(amount) : amount,
      fit,
    })),
    explain: explanation === null ? null : { job: explanation.job, reasons: explanation.reasons },
    notes: plan.notes,
  }
}

function useJson({ inputTokens, outputTokens, costNano, worstCostNano, basis }: PlannedUse) {
  return {
    tokens: { input: inputTokens, output: outputTokens },
    cost_usd: costNano === null ? null : ranged(costNano, toUsd),
    worst_cost_usd: worstCostNano === null ? null : toUsd(worstCostNano),
    basis: { ...basis, text: basisText(basis) },
  }
}

function routeJson(route: PlannedRoute | null): object | null {
  if (route === null) return null
  const { way, why, deadlineMs, ways } = route
  return { way, why, deadline_s: deadlineMs === null ? null : deadlineMs / 1000, ways: ways.map(wayFields) }
}

/** A plan read back from its file: what it is bound to, and the command that made it. */
export interface SavedPlan {
  readonly id: string
  readonly binding: PlanBinding
  /** What it expects the run to cost; `null`: it knows no price. */
  readonly expectedNano: NanoUsd | null
  /** As `planFile` was given it. */
  readonly command: unknown
}

/** A plan as it is kept in a file, with the command that made it. */
export function planFile(plan: Plan, command: object): string {
  return `${JSON.stringify({ ...planJson(plan), command }, null, 2)}\n`
}

/** Reads what `planFile` wrote. Throws SluiceError `usage` for anything else. */
export function readPlanFile(text: string, name: string): SavedPlan {
  const value = parse(text)
  const at = (...path: readonly string[]) =>
    path.reduce<unknown>((part, key) => (part as Record<string, unknown> | null | undefined)?.[key], value)
  const [id, specHash, inputHash, priceHash] = [
    at('plan'),
    at('spec', 'hash'),
    at('input', 'hash'),
    at('prices', 'hash'),
  ]
  const texts = [id, specHash, inputHash, priceHash].every((part) => typeof part === 'string')
  if (at('schema') !== PLAN_VERSION || !texts) {
    throw new SluiceError('usage', `${name} is no plan of this sluice`, {
      hint: 'Make one: `sluice plan <spec> -o plan.json`.',
    })
  }
  const binding = { specHash, inputHash, priceHash } as PlanBinding
  const usd = at('cost_usd', 'expected')
  const expectedNano = typeof usd === 'number' ? Math.round(usd * NANO_PER_USD) : null
  return { id: id as string, binding, expectedNano, command: at('command') }
}

/** `undefined`: it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
