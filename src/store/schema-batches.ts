import type { Generated } from 'kysely'
import type { PartState, ShardState } from '../domain/batch.ts'

/** What requests of one batch have in common: a row for each kind that ever was packed, never changed. */
export interface BatchKindsTable {
  kind_key: string
  /** `BatchKind` as JSON. */
  kind: string
}

/** Requests of one chunk that go out in a batch together: the intent of all of them. */
export interface BatchPartsTable {
  part_id: string
  job_no: number
  chunk_no: number
  round: number
  tenant_no: number
  kind_key: string
  state: PartState
  /** Kept when the part has left the shard with its results; `null` while it is packed. */
  shard_id: string | null
  /** Where in its shard it is sent. */
  place: number | null
  /** The indices of its rows, as `row-list.ts` writes them. */
  row_list: string
  requests: number
  bytes: number
  input_tokens: number
  worst_nano: number
  worst_tokens: number
  requests_key: string
  results_key: string | null
  results_offset: number | null
  results_length: number | null
  /** `Failure` as JSON. */
  failure: string | null
  packed_at_ms: number
}

/** What one batch at a provider holds, or shall hold. */
export interface BatchShardsTable {
  shard_id: string
  tenant_no: number
  kind_key: string
  account: string
  state: ShardState
  version: number
  requests: number
  bytes: number
  input_tokens: number
  worst_nano: number
  worst_tokens: number
  hash: string
  file_id: string | null
  batch_id: string | null
  guessed: Generated<number>
  /** Batch ids as a JSON array. */
  not_batch_ids: Generated<string>
  /** `BatchSaid` as JSON. */
  said: string | null
  planned_at_ms: number
  intent_at_ms: number | null
  submitter: string | null
  submitted_at_ms: number | null
  heard_at_ms: number | null
  next_look_ms: number
  ended_at_ms: number | null
  cancel_wanted_ms: number | null
  note: string | null
}

/** What of a job's budget is set aside for a part that is not closed: its worst case, less what of its results is booked. */
export interface BudgetHoldingsTable {
  job_no: number
  part_id: string
  left_nano: number
  left_tokens: number
  /** The UTC day, counted from 1970, that it is held against for the tenant; `null`: nobody drew it. */
  day: number | null
}
