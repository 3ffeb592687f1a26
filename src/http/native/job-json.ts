import type { Static } from 'typebox'
import type { Chunk } from '../../domain/chunk.ts'
import { parseExact } from '../../domain/exact-json.ts'
import { costUsd, rowTotals, tokenTotals } from '../../domain/job.ts'
import { toUsd } from '../../domain/money.ts'
import type { StoredOutcome } from '../../domain/stored.ts'
import { jobFields } from '../../engine/job-json.ts'
import type { JobStatus } from '../../engine.ts'
import type { CHUNK, JOB, ROW } from './job-schema.ts'

/** A job as the API tells of it: as every other JSON, with what only a status shows. */
export function jobJson(status: JobStatus, nowMs: number): Static<typeof JOB> {
  const { job, chunksDone, causes } = status
  const { concurrency, priority, budgetNano, budgetTokens } = job.settings
  return {
    job_id: job.id,
    ...jobFields(status, nowMs),
    eta_s: etaOf(status),
    chunks: { total: job.chunksTotal, done: chunksDone },
    causes: Object.fromEntries(causes.map(({ cause, rows }) => [cause, rows])),
    settings: {
      concurrency,
      priority,
      budget_usd: budgetNano === null ? null : toUsd(budgetNano),
      budget_tokens: budgetTokens,
    },
  }
}

/** Seconds to go at the pace of all its active time; `null` where it does not move, or has not begun to. */
function etaOf({ job, rowsDone, elapsedMs }: JobStatus): number | null {
  if (job.state !== 'running' || rowsDone === 0) return null
  return Math.round(((job.rowsTotal - rowsDone) * elapsedMs) / rowsDone) / 1000
}

/** A chunk as the API tells of it. */
export function chunkJson(chunk: Chunk): Static<typeof CHUNK> {
  const { counters } = chunk
  return {
    chunk_id: chunk.chunkNo,
    state: chunk.state,
    first_row: chunk.firstRow,
    rows: rowTotals(chunk.rows, counters),
    worker: chunk.owner,
    deaths: chunk.deaths,
    round: chunk.round,
    done_no: chunk.doneNo,
    attempts: counters.attempts,
    tokens: tokenTotals(counters),
    cost_usd: costUsd(counters),
  }
}

/** A row's outcome as the API tells of it. Its answer holds numbers that only `stringifyExact` writes as they were. */
export function rowJson(outcome: StoredOutcome): Static<typeof ROW> {
  return {
    row_id: outcome.rowId,
    row_index: outcome.rowIndex,
    chunk_id: outcome.chunkNo,
    state: outcome.state,
    cause: outcome.cause,
    message: outcome.message,
    output: outcome.output === null ? null : parseExact(outcome.output),
    model: outcome.model,
    lane: outcome.lane,
    attempts: outcome.attempts,
    input_tokens: outcome.inputTokens,
    output_tokens: outcome.outputTokens,
    cost_usd: outcome.costNano === null ? null : toUsd(outcome.costNano),
    latency_ms: outcome.latencyMs,
    round: outcome.round,
    spec_hash: outcome.specHash,
    ended_at: new Date(outcome.endedAtMs).toISOString(),
  }
}
