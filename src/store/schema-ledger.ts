import type { Generated } from 'kysely'
import type { AttemptState } from '../domain/attempt.ts'
import type { Cause } from '../domain/failure.ts'
import type { LaneName } from '../domain/row.ts'

/** Prices that attempts were booked at: a row for each that ever was in force, never changed. In nano-dollars per million tokens. */
export interface PricesTable {
  price_no: Generated<number>
  /** Over all that the price is; by it a price is found again. */
  price_hash: Uint8Array
  input_nano: number
  output_nano: number
  cached_input_nano: number | null
  cache_write_nano: number | null
  /** What the lane charges of it, in thousandths: 1000 for the live lane, 500 where a batch is half price. */
  lane_permille: number
  /** Where it comes from, with the date of the list where it is a list's. */
  source: string
}

/**
 * The ledger of jobs that are over, in sums: what `cost` reads instead of the attempts (costs.ts). They hold as long as the job's
 * `costs_version` is its `ledger_version`.
 */
export interface JobCostsTable {
  job_no: number
  /** From 0, in no order. */
  part_no: number
  round: number
  /** Days since 1970 in UTC, by the start of the attempts. */
  day: number
  model: string
  lane: LaneName
  state: AttemptState
  cause: Cause | null
  price_no: number | null
  attempts: number
  input_tokens: number
  cached_tokens: number
  cache_write_tokens: number
  output_tokens: number
  reasoning_tokens: number
  cost_nano: number
  unpriced: number
}

/** One request, from before it is sent. */
export interface AttemptsTable {
  job_no: number
  chunk_no: number
  id: Uint8Array
  epoch: number
  row_index: number
  round: number
  number: number
  model: string
  lane: LaneName
  request_hash: Uint8Array
  state: AttemptState
  started_at_ms: number
  ended_at_ms: number | null
  cause: Cause | null
  message: string | null
  status: number | null
  provider_code: string | null
  provider_request_id: string | null
  counts: number
  /** 0 or 1, or `null` where the cause's rule decides. */
  retryable: number | null
  /** The worst case while `open` and when `lost`; the provider's figures once they are known. */
  input_tokens: number
  cached_tokens: number
  cache_write_tokens: Generated<number>
  output_tokens: number
  reasoning_tokens: Generated<number>
  cost_nano: number | null
  /** Of `prices`. */
  price_no: number | null
  reply: string | null
}
