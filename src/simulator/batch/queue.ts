import type { Batch, BatchProvider } from './batch.ts'
import type { BatchOptions } from './options.ts'
import type { Survey } from './survey.ts'

/** A queue that has no room for a batch. */
export interface FullQueue {
  readonly model: string
  readonly limit: number
  readonly what: 'tokens' | 'requests'
}

/** The queue that stands in the way of one more batch; `null`: there is room. Batches wait in it until all their requests have had their turn. */
export function fullQueue(
  options: BatchOptions,
  batches: readonly Batch[],
  asked: { readonly provider: BatchProvider; readonly model: string; readonly survey: Survey },
  nowMs: number,
): FullQueue | null {
  const { provider, model, survey } = asked
  const waiting = batches.filter(
    (batch) =>
      batch.provider === provider &&
      batch.model === model &&
      batch.course.end !== 'failed' &&
      nowMs < batch.course.ranMs,
  )
  for (const what of ['tokens', 'requests'] as const) {
    const limit = what === 'tokens' ? options.queueTokens : options.queueRequests
    const of = (one: Survey) => (what === 'tokens' ? one.inputTokens : one.requests)
    const queued = waiting.reduce((sum, batch) => sum + of(batch.survey), 0)
    if (limit !== null && queued + of(survey) > limit) return { model, limit, what }
  }
  return null
}
