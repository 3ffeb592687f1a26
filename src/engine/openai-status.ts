import { isTerminal, type Job } from '../domain/job.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'

/** How a batch stands, in OpenAI's words. */
export type BatchStatus =
  | 'validating'
  | 'failed'
  | 'in_progress'
  | 'finalizing'
  | 'completed'
  | 'expired'
  | 'cancelling'
  | 'cancelled'

/** The status of a batch, from what is written of it and of its job. An end that was written stays, whatever becomes of the job later. */
export function batchStatus(
  batch: Pick<OpenAiBatch, 'failedAtMs' | 'filesAtMs' | 'expiredAtMs' | 'cancellingAtMs'>,
  job: Pick<Job, 'state'> | null,
): BatchStatus {
  if (batch.failedAtMs !== null) return 'failed'
  if (batch.filesAtMs !== null) return endOf(batch)
  if (batch.cancellingAtMs !== null) return 'cancelling'
  if (job === null || job.state === 'created') return 'validating'
  return isTerminal(job.state) || job.state === 'finalizing' || batch.expiredAtMs !== null
    ? 'finalizing'
    : 'in_progress'
}

/** Which end a batch has come to whose files are there. */
export function endOf({ expiredAtMs, cancellingAtMs }: Pick<OpenAiBatch, 'expiredAtMs' | 'cancellingAtMs'>) {
  if (expiredAtMs !== null) return 'expired'
  return cancellingAtMs === null ? 'completed' : 'cancelled'
}
