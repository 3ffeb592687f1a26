import type { AttemptFact } from '../domain/attempt.ts'
import { type Counters, NO_COUNTS } from '../domain/job.ts'

/** What the ledger holds of an attempt, as its columns. */
export type Figures = {
  readonly input_tokens: number
  readonly cached_tokens: number
  readonly output_tokens: number
  readonly cost_nano: number | null
}

/** What an ended attempt has used. */
export function figuresOf({ usage, costNano }: AttemptFact): Figures {
  return {
    input_tokens: usage.inputTokens,
    cached_tokens: usage.cachedInputTokens,
    output_tokens: usage.outputTokens,
    cost_nano: costNano,
  }
}

/** What one attempt of these figures adds to the counters. */
export function countersOfFigures(figures: Figures): Counters {
  return {
    ...NO_COUNTS,
    attempts: 1,
    inputTokens: figures.input_tokens,
    cachedTokens: figures.cached_tokens,
    outputTokens: figures.output_tokens,
    costNano: figures.cost_nano ?? 0,
    unpriced: figures.cost_nano === null ? 1 : 0,
  }
}
