import { costUsd } from '../domain/job.ts'
import { toUsd } from '../domain/money.ts'
import type { CostLine, FailedGroup } from '../engine.ts'

/** What stands in the ledger for one line of a roll-up, as all JSON tells it. */
export function costFigures(line: CostLine) {
  return {
    attempts: line.attempts,
    open: line.open,
    tokens: {
      input: line.inputTokens,
      cached: line.cachedTokens,
      cache_write: line.cacheWriteTokens,
      output: line.outputTokens,
      reasoning: line.reasoningTokens,
    },
    cost_usd: costUsd(line),
    lower_bound: line.unpriced > 0,
    without_accepted_answer_usd: toUsd(line.failedCostNano),
    lost_usd: toUsd(line.lostCostNano),
    orphaned_usd: toUsd(line.orphanedCostNano),
  }
}

/** The dead letters of one cause, as all JSON tells of them. Holds what the examples were answered. */
export function failedFields(group: FailedGroup) {
  return {
    cause: group.cause,
    rows: group.rows,
    retryable: group.retryable,
    meaning: group.meaning,
    advice: group.advice,
    examples: group.examples.map((outcome) => ({
      row_id: outcome.rowId,
      row_index: outcome.rowIndex,
      message: outcome.message,
      reply: outcome.reply,
      attempts: outcome.attempts,
      ended_at: new Date(outcome.endedAtMs).toISOString(),
    })),
  }
}
