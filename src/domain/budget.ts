import type { AttemptFact } from './attempt.ts'
import type { JobSettings } from './job.ts'
import type { NanoUsd } from './money.ts'
import type { BudgetSpec } from './spec.ts'

/** Money and tokens at once: what requests use, and what budgets are made of. */
export interface Amount {
  readonly nano: NanoUsd
  /** Input and output together. */
  readonly tokens: number
}

export const NOTHING: Amount = Object.freeze({ nano: 0, tokens: 0 })

/** What may be used at most; `null`: no end. */
export interface BudgetLimits {
  readonly nano: NanoUsd | null
  readonly tokens: number | null
}

/** The sum of two amounts. */
export function plus(a: Amount, b: Amount): Amount {
  return { nano: a.nano + b.nano, tokens: a.tokens + b.tokens }
}

/** What is left of `a` without `b`; below zero where `b` is more. */
export function minus(a: Amount, b: Amount): Amount {
  return { nano: a.nano - b.nano, tokens: a.tokens - b.tokens }
}

/** So many times as much. */
export function times(n: number, { nano, tokens }: Amount): Amount {
  return { nano: n * nano, tokens: n * tokens }
}

/** The larger of each. */
export function most(a: Amount, b: Amount): Amount {
  return { nano: Math.max(a.nano, b.nano), tokens: Math.max(a.tokens, b.tokens) }
}

/** Whether `have` holds all of `need`. */
export function covers(have: Amount, need: Amount): boolean {
  return have.nano >= need.nano && have.tokens >= need.tokens
}

/** The limits of a job: what was set while it lives goes before its spec. */
export function limitsOf(spec: BudgetSpec, settings: Pick<JobSettings, 'budgetNano' | 'budgetTokens'>): BudgetLimits {
  return { nano: settings.budgetNano ?? spec.usdNano, tokens: settings.budgetTokens ?? spec.tokens }
}

/** What an ended attempt takes out of a budget. */
export interface Charge {
  /** What the ledger says that it has used. */
  readonly used: Amount
  /** What it may have used besides: nobody knows, so that it counts as spent. */
  readonly doubtful: Amount
}

/** Codes of connections that were never made: nothing can have been billed. */
const NOT_REACHED: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/**
 * What the end of an attempt takes out of a budget. A refusal by the provider costs nothing. A request that was never answered (time-out, broken
 * connection), or answered without its usage, may have been billed: it stands at its worst case.
 */
export function chargeOf(fact: AttemptFact): Charge {
  const { usage, intent } = fact
  const used = { nano: fact.costNano ?? 0, tokens: usage.inputTokens + usage.outputTokens }
  if (!mayHaveCostMore(fact)) return { used, doubtful: NOTHING }
  const worst = { nano: intent.worstCostNano ?? 0, tokens: intent.worstInputTokens + intent.worstOutputTokens }
  return { used, doubtful: most(NOTHING, minus(worst, used)) }
}

function mayHaveCostMore(fact: AttemptFact): boolean {
  if (fact.usage.inputTokens + fact.usage.outputTokens > 0) return false
  const unanswered = (fact.cause === 'timeout' || fact.cause === 'connection') && fact.status === null
  if (unanswered) return fact.providerCode === null || !NOT_REACHED.has(fact.providerCode)
  return fact.costNano === null
}
