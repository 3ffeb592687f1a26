import type { BatchError } from '../../chat/batch-check.ts'
import type { BatchView } from '../../service.ts'
import type { OpenAiBatchObject } from './schema.ts'

const seconds = (ms: number | null) => (ms === null ? null : Math.floor(ms / 1000))

/** A batch as OpenAI tells it. Its files are named once they are there. */
export function batchJson({ batch, status, job, counters, reasoningTokens }: BatchView): OpenAiBatchObject {
  const errors =
    status === 'failed' && batch.errors !== null ? (JSON.parse(batch.errors) as readonly BatchError[]) : null
  const isOver = batch.filesAtMs !== null || batch.failedAtMs !== null
  const endedAs = (end: string) => (status === end ? seconds(batch.filesAtMs) : null)
  const { inputTokens, cachedTokens, outputTokens } = counters
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    errors: errors === null ? null : { object: 'list', data: [...errors] },
    input_file_id: batch.inputFileId,
    completion_window: batch.completionWindow,
    ...(batch.model !== null && { model: batch.model }),
    status,
    output_file_id: isOver ? batch.outputFileId : null,
    error_file_id: isOver ? batch.errorFileId : null,
    created_at: Math.floor(batch.createdAtMs / 1000),
    in_progress_at: seconds(job?.startedAtMs ?? null),
    expires_at: Math.floor(batch.expiresAtMs / 1000),
    finalizing_at: job?.startedAtMs == null ? null : seconds(job.endedAtMs),
    completed_at: endedAs('completed'),
    failed_at: seconds(batch.failedAtMs),
    expired_at: seconds(batch.expiredAtMs),
    cancelling_at: seconds(batch.cancellingAtMs),
    cancelled_at: endedAs('cancelled'),
    request_counts: { total: job?.rowsTotal ?? 0, completed: counters.succeeded, failed: counters.failed },
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: cachedTokens },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: inputTokens + outputTokens,
    },
    metadata: batch.metadata === null ? null : (JSON.parse(batch.metadata) as Record<string, string>),
  }
}
