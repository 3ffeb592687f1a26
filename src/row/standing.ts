import type { PastAttempt } from '../domain/attempt.ts'
import { CAUSE_RULES, type Cause, type RetryRule } from '../domain/failure.ts'
import type { Spec } from '../domain/spec.ts'

/** The spec's own model in a chain of models; fallbacks are numbered from 0. */
export const MAIN_MODEL = -1

/** What limits the attempts of a row, and which models follow each other. */
export interface Policy {
  readonly retries: number
  readonly invalidAttempts: number
  readonly mainModel: string
  readonly fallbacks: readonly { readonly model: string; readonly when: readonly Cause[] }[]
}

/** The policy of a spec. */
export function policyOf(spec: Spec): Policy {
  return {
    retries: spec.execution.retries,
    invalidAttempts: spec.output.onInvalid.attempts,
    mainModel: spec.model.target.id,
    fallbacks: spec.model.fallback.map(({ target, when }) => ({ model: target.id, when })),
  }
}

/** Where a row stands, from its attempts alone: the same in the process that made them and in any that reads them back. */
export interface Standing {
  /** The model that was asked last; `MAIN_MODEL` before any. */
  readonly fallbackIndex: number
  /** Attempts on this model whose answers did not fit. */
  readonly invalid: number
  /** Of `execution.retries`, over all models. */
  readonly retries: number
  /** The last answer on this model that did not fit. */
  readonly rejected: PastAttempt | null
  /** The failure that ended this model for the row; `null`: it may be asked (again). */
  readonly endedBy: PastAttempt | null
  /** What the provider counted for the row: booked and orphaned attempts. */
  readonly tokens: number
  /** The most input tokens that the provider counted for one of them. */
  readonly largestInput: number
}

const START: Standing = Object.freeze({
  fallbackIndex: MAIN_MODEL,
  invalid: 0,
  retries: 0,
  rejected: null,
  endedBy: null,
  tokens: 0,
  largestInput: 0,
})

/** Folds the attempts of one row and round. Lost, orphaned and open ones use nothing up: nobody knows, or may say, how they ended. */
export function standingOf(past: readonly PastAttempt[], policy: Policy): Standing {
  return past
    .toSorted((a, b) => a.number - b.number)
    .reduce((standing, attempt) => after(standing, attempt, policy), START)
}

/** Where the row stands after one more attempt. */
export function after(before: Standing, attempt: PastAttempt, policy: Policy): Standing {
  const asked = askedModel(before, attempt, policy)
  const standing =
    asked === before.fallbackIndex
      ? before
      : { ...before, fallbackIndex: asked, invalid: 0, rejected: null, endedBy: null }
  if (attempt.state !== 'booked') {
    return attempt.state === 'orphaned' ? paid(standing, attempt) : standing
  }
  const booked = paid(standing, attempt)
  if (attempt.cause === null) return booked
  const rule = ruleOf(attempt.cause, attempt.retryable !== false)
  // In an outage also a timeout is nobody's fault: it was booked as one that does not count.
  if (!attempt.counts && rule !== 'never') return booked
  switch (rule) {
    case 'free':
    case 'pause':
      return booked
    case 'never':
      return { ...booked, endedBy: attempt }
    case 'retries': {
      const retries = booked.retries + 1
      return { ...booked, retries, endedBy: retries > policy.retries ? attempt : null }
    }
    case 'on_invalid': {
      const invalid = booked.invalid + 1
      return { ...booked, invalid, rejected: attempt, endedBy: invalid >= policy.invalidAttempts ? attempt : null }
    }
  }
}

/** What a failure uses up: its cause's rule, unless asking the same again cannot help. A pause stays one: the job stops either way. */
export function ruleOf(cause: Cause, retryable: boolean): RetryRule {
  const { retry } = CAUSE_RULES[cause]
  return retryable || retry === 'pause' ? retry : 'never'
}

/** The fallbacks that may follow a failure, in order: those after the current model whose `when` holds its cause. */
export function fallbacksAfter(standing: Standing, policy: Policy): readonly number[] {
  const cause = standing.endedBy?.cause
  if (!cause) return []
  return [...policy.fallbacks.keys()].filter(
    (index) => index > standing.fallbackIndex && policy.fallbacks[index]?.when.includes(cause),
  )
}

/** Which model an attempt was made with. Two fallbacks may name the same model: the next one that was due is meant. */
function askedModel(before: Standing, attempt: PastAttempt, policy: Policy): number {
  const due = fallbacksAfter(before, policy).find((index) => policy.fallbacks[index]?.model === attempt.model)
  if (due !== undefined) return due
  if (attempt.model === modelAt(before.fallbackIndex, policy)) return before.fallbackIndex
  const later = policy.fallbacks.findIndex(
    ({ model }, index) => index > before.fallbackIndex && model === attempt.model,
  )
  return later < 0 ? before.fallbackIndex : later
}

function modelAt(index: number, policy: Policy): string | undefined {
  return index === MAIN_MODEL ? policy.mainModel : policy.fallbacks[index]?.model
}

function paid(standing: Standing, { inputTokens, outputTokens }: PastAttempt): Standing {
  return {
    ...standing,
    tokens: standing.tokens + inputTokens + outputTokens,
    largestInput: Math.max(standing.largestInput, inputTokens),
  }
}
