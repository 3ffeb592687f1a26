import type { Selectable } from 'kysely'
import type { Outcome } from '../domain/row.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import { hashBytes, hashText } from './bytes.ts'
import type { RowsOfChunk } from './database.ts'
import type { RowsTable } from './schema.ts'

/** The columns of `rows` in the order of `rowValues`. */
export const ROW_COLUMNS = [
  'bucket',
  'job_no',
  'step',
  'row_index',
  'chunk_no',
  'row_id',
  'state',
  'cause',
  'message',
  'output',
  'reply',
  'attempts',
  'model',
  'lane',
  'input_tokens',
  'output_tokens',
  'cost_nano',
  'latency_ms',
  'request_hash',
  'spec_hash',
  'round',
  'ended_at_ms',
  'fallback',
] as const satisfies readonly (keyof RowsTable)[]

/** An outcome as the values of a row of `rows`, in the order of `ROW_COLUMNS`. */
export function rowValues(place: RowsOfChunk, outcome: Outcome) {
  return [
    place.bucket,
    place.jobNo,
    0,
    outcome.rowIndex,
    place.chunkNo,
    storedRowId(outcome),
    outcome.state,
    outcome.cause ?? (outcome.state === 'failed' ? 'unknown' : outcome.state === 'cancelled' ? 'cancelled' : null),
    outcome.message,
    outcome.output,
    outcome.reply,
    outcome.attempts,
    outcome.model,
    outcome.lane,
    outcome.inputTokens,
    outcome.outputTokens,
    outcome.costNano,
    outcome.latencyMs,
    outcome.requestHash === null ? null : hashBytes(outcome.requestHash),
    hashBytes(outcome.specHash),
    outcome.round,
    outcome.endedAtMs,
    outcome.fallback ? 1 : 0,
  ]
}

/** A row of `rows` as the domain's outcome. */
export function outcomeOf(row: Selectable<RowsTable>): StoredOutcome {
  return {
    rowIndex: row.row_index,
    rowId: row.row_id ?? String(row.row_index),
    chunkNo: row.chunk_no,
    state: row.state,
    cause: row.cause,
    message: row.message,
    output: row.output,
    reply: row.reply,
    attempts: row.attempts,
    model: row.model,
    lane: row.lane,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    costNano: row.cost_nano,
    latencyMs: row.latency_ms,
    requestHash: row.request_hash === null ? null : hashText(row.request_hash),
    specHash: hashText(row.spec_hash),
    round: row.round,
    endedAtMs: row.ended_at_ms,
    fallback: row.fallback === 1,
  }
}

function storedRowId(outcome: Outcome): string | null {
  return outcome.rowId === String(outcome.rowIndex) ? null : outcome.rowId
}
