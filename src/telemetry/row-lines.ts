import type { Events } from '../events.ts'
import type { Log } from './log.ts'

/**
 * Writes a line for each attempt and each row that ends: ids, figures and causes, never contents. A row is named by its index, since its key is a
 * value of the input. Returns the way out.
 */
export function logRows(events: Events, log: Log): () => void {
  const offs = [
    events.on('attempt.ended', (attempt) => {
      const { jobId, chunkNo, rowIndex, round, number, model, lane, cause, usage, costNano, again } = attempt
      log.info(
        {
          job_id: jobId,
          chunk: chunkNo,
          row_index: rowIndex,
          round,
          attempt: number,
          model,
          lane,
          error: cause,
          input_tokens: usage.inputTokens,
          output_tokens: usage.outputTokens,
          cost_nano_usd: costNano,
          ms: attempt.endedAtMs - attempt.startedAtMs,
          again,
        },
        'attempt',
      )
    }),
    events.on('rows.ended', ({ jobId, chunkNo, each }) => {
      for (const row of each()) {
        log.info(
          {
            job_id: jobId,
            chunk: chunkNo,
            row_index: row.rowIndex,
            state: row.state,
            error: row.cause,
            attempts: row.attempts,
            lane: row.lane,
            input_tokens: row.inputTokens,
            output_tokens: row.outputTokens,
          },
          'row',
        )
      }
    }),
  ]
  return () => {
    for (const off of offs) off()
  }
}
