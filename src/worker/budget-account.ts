import { type Amount, type BudgetLimits, type Charge, limitsOf, NOTHING } from '../domain/budget.ts'
import { formatUsd } from '../domain/money.ts'
import { NO_CAPS } from '../domain/tenant.ts'
import { costOf, worstUsage } from '../domain/usage.ts'
import { createPurse, type Purse } from '../limit/purse.ts'
import type { Draw } from '../store/role/budgets.ts'
import type { RowTask } from './held-chunk.ts'
import { targetOf } from './intent.ts'
import type { JobRun, Rate } from './job-run.ts'

/** A job's budget as one worker keeps it. */
export interface BudgetAccount {
  run: JobRun
  readonly purse: Purse
  /** What the job used within the last beat. */
  usedInBeat: Amount
  /** The store knows of a grant. */
  granted: boolean
  drawing: Promise<void> | null
  /** Nothing was to be had: it is asked for again when the last request under way has ended, or at the next beat. */
  waits: boolean
  /** By attempt: what has ended, and whose booking has not been committed. */
  readonly charges: Map<string, Charge>
  /** Ended rows after which the projection is looked at again. */
  nextLook: number
}

/** An account without limits. */
export function openAccount(run: JobRun): BudgetAccount {
  return {
    run,
    purse: createPurse(),
    usedInBeat: NOTHING,
    granted: false,
    drawing: null,
    waits: false,
    charges: new Map(),
    nextLook: 0,
  }
}

/** The job's limits as they were last read. */
export function limitsOfRun({ spec, settings }: JobRun): BudgetLimits {
  return limitsOf(spec.budget, settings)
}

/** Whether anything of the job is limited. */
export function isLimited({ run }: BudgetAccount): boolean {
  const { nano, tokens } = limitsOfRun(run)
  return nano !== null || tokens !== null || isTenantLimited(run)
}

function isTenantLimited({ caps = NO_CAPS }: JobRun): boolean {
  return caps.dayNano !== null || caps.monthNano !== null
}

/** The worst that a row's next request can come to, live or at another lane's rate; `null`: its price is unknown, and it is asked for. */
export function worstOf(task: RowTask, { price }: Rate = targetOf(task)): Amount | null {
  const { run } = task.held
  const { worstInputTokens, worstOutputTokens } = task.next
  const nano = costOf(worstUsage(worstInputTokens, worstOutputTokens, price), price)
  if (nano === null && (limitsOfRun(run).nano !== null || isTenantLimited(run))) return null
  return { nano: nano ?? 0, tokens: worstInputTokens + worstOutputTokens }
}

/** Why a job stands still, in a sentence. */
export function refusalText({ refusedBy, limits, spent, dayNano, monthNano }: Draw, worst: Amount): string {
  const next = `and the next request may take up to`
  if (refusedBy === 'day') {
    return `the tenant's ${formatUsd(dayNano)} a day are used up, ${next} ${formatUsd(worst.nano)}; they begin anew at 00:00 UTC`
  }
  if (refusedBy === 'month') {
    return `the tenant's ${formatUsd(monthNano)} a month are used up, ${next} ${formatUsd(worst.nano)}; they begin anew on the first at 00:00 UTC`
  }
  if (refusedBy === 'tokens') return `${spent.tokens} of ${limits.tokens} tokens are used, ${next} ${worst.tokens}`
  return `${formatUsd(spent.nano)} of ${formatUsd(limits.nano)} are spent, ${next} ${formatUsd(worst.nano)}`
}
