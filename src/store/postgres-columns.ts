import { ENTRY_COLUMNS, FACT_COLUMNS, INTENT_COLUMNS } from './attempt-record.ts'
import { COUNTER_COLUMNS } from './counters.ts'
import { ROW_COLUMNS } from './outcome-record.ts'
import type { BatchColumn } from './postgres-batch.ts'

type Written = (typeof ROW_COLUMNS)[number] | (typeof INTENT_COLUMNS)[number] | (typeof FACT_COLUMNS)[number]

/** The types that the columns of rows and attempts have in PostgreSQL, as the migrations made them. */
const TYPES: Readonly<Record<Written, string>> = {
  bucket: 'int8',
  job_no: 'int8',
  step: 'int2',
  row_index: 'int8',
  chunk_no: 'int4',
  row_id: 'text',
  state: 'text',
  cause: 'text',
  message: 'text',
  output: 'text',
  reply: 'text',
  attempts: 'int4',
  model: 'text',
  lane: 'text',
  input_tokens: 'int8',
  cached_tokens: 'int8',
  cache_write_tokens: 'int8',
  output_tokens: 'int8',
  reasoning_tokens: 'int8',
  cost_nano: 'int8',
  latency_ms: 'int8',
  request_hash: 'bytea',
  spec_hash: 'bytea',
  round: 'int4',
  started_at_ms: 'int8',
  ended_at_ms: 'int8',
  fallback: 'int2',
  id: 'bytea',
  epoch: 'int4',
  number: 'int4',
  status: 'int4',
  provider_code: 'text',
  provider_request_id: 'text',
  counts: 'int2',
  retryable: 'int2',
  price_no: 'int4',
}

const typed = (columns: readonly Written[]) => columns.map((column): BatchColumn => [column, TYPES[column]])

/** What one chunk is named by. */
export const CHUNK_KEY = typed(['job_no', 'chunk_no'])
export const ATTEMPT_KEY = typed(['job_no', 'chunk_no', 'id'])
export const INTENTS = typed(INTENT_COLUMNS)
export const FACTS = typed(FACT_COLUMNS)
export const ENTRIES = typed(ENTRY_COLUMNS)
export const ROWS = typed(ROW_COLUMNS)
export const COUNTERS = COUNTER_COLUMNS.map(([, column]): BatchColumn => [column, 'int8'])
