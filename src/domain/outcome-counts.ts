import { type Counters, NO_COUNTS } from './job.ts'
import type { Outcome } from './row.ts'

/**
 * What one outcome adds to the counters of its chunk, and takes away again when a new round takes it back. What its attempts used is
 * counted as they end, and stays.
 */
export function countsOfOutcome(
  outcome: Pick<Outcome, 'state' | 'lane' | 'attempts' | 'fallback' | 'saved'>,
): Counters {
  const { saved } = outcome
  return {
    ...NO_COUNTS,
    [outcome.state]: 1,
    cached: outcome.state === 'succeeded' && outcome.lane === 'cache' ? 1 : 0,
    cachedHere: saved?.here ? 1 : 0,
    retried: outcome.attempts > 1 ? 1 : 0,
    fallback: outcome.fallback ? 1 : 0,
    savedInputTokens: saved?.inputTokens ?? 0,
    savedOutputTokens: saved?.outputTokens ?? 0,
    savedNano: saved?.costNano ?? 0,
  }
}
