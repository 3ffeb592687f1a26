import type { Cause } from '../domain/failure.ts'
import type { Problem } from './problem.ts'

/** One line of a provider's table: when all that is given fits, the cause is this. */
export interface Rule {
  readonly status?: readonly number[]
  /** Any of these among the problem's codes, whole and in lower case; or a pattern that one of them fits. */
  readonly code?: readonly string[] | RegExp
  /** Found in its message. */
  readonly says?: RegExp
  readonly cause: Cause
  /** Default: as the cause's own rule has it. `false`: the same request can never succeed. */
  readonly retryable?: boolean
  /** It is the output schema that the server will not take: it may be asked without. */
  readonly aboutSchema?: boolean
  /** It is the service tier that the server will not take: it may be asked without. */
  readonly aboutTier?: boolean
}

/** The first rule that fits. The tables end in `BY_STATUS`, of which one always does. */
export function ruleFor(rules: readonly Rule[], problem: Problem): Rule {
  return rules.find((rule) => fits(rule, problem)) ?? OTHERWISE
}

function fits(rule: Rule, problem: Problem): boolean {
  if (rule.status !== undefined && !rule.status.includes(problem.status)) return false
  const { code: wanted } = rule
  if (wanted !== undefined && !problem.codes.some((code) => matches(wanted, code))) return false
  return rule.says === undefined || rule.says.test(problem.message)
}

function matches(wanted: readonly string[] | RegExp, code: string): boolean {
  return wanted instanceof RegExp ? wanted.test(code) : wanted.includes(code)
}

const OTHERWISE: Rule = { cause: 'provider_error', retryable: false }

/**
 * What statuses mean where the body says nothing better. 403, 404 and 405 stand under `credentials`: a key that may not, a
 * model that is not there or a wrong address would fail every row alike, so the job pauses at the first.
 */
export const BY_STATUS: readonly Rule[] = [
  { status: [401, 403, 404, 405], cause: 'credentials' },
  { status: [402], cause: 'quota_exhausted' },
  { status: [408, 504, 522, 524], cause: 'timeout' },
  { status: [409, 425], cause: 'provider_error' },
  { status: [413], cause: 'context_too_long', retryable: false },
  { status: [429], cause: 'rate_limited' },
  { status: [498, 503, 529], cause: 'overloaded' },
  { status: statuses(500, 599), cause: 'provider_error' },
  OTHERWISE,
]

/**
 * What servers say of a tier that a model is not to be had at. Azure documents a 400 `invalid_request_error`; the words are those that were seen, and
 * the parameter's name. It stands before all that may speak of something else.
 */
export const TIER_REFUSED: Rule = {
  status: [400, 422],
  says: /\bservice_?\s?tier\b|\bflex\b.{0,60}\b(?:not|un)\s?(?:supported|available)/i,
  cause: 'provider_error',
  retryable: false,
  aboutTier: true,
}

/** The words in which servers refuse the output schema itself, or structured output as such. */
export const SCHEMA_REFUSED =
  /response_?format|response_?json_?schema|response_?schema|json_schema|text\.format|output_config\.format|output_format|input_schema|schema (?:is too|produces)|invalid schema|grammar/i

/** From `first` up to and including `last`. */
function statuses(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
