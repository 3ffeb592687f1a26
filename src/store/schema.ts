import type { Generated } from 'kysely'
import type { ChunkState } from '../domain/chunk.ts'
import type { Cause } from '../domain/failure.ts'
import type { JobState, Priority, StateReason, Trigger, Wanted } from '../domain/job.ts'
import type { LaneName, OutcomeState } from '../domain/row.ts'
import type { BatchKindsTable, BatchPartsTable, BatchShardsTable, BudgetHoldingsTable } from './schema-batches.ts'
import type { BudgetGrantsTable, TenantDaysTable } from './schema-budget.ts'
import type { RolesTable, WorkersTable } from './schema-fleet.ts'
import type { AttemptsTable, JobCostsTable, PricesTable } from './schema-ledger.ts'
import type { LimitsTable } from './schema-limits.ts'
import type { OutboxGoneTable, OutboxTable } from './schema-outbox.ts'
import type {
  ApiKeysTable,
  AuditTable,
  FilePartsTable,
  FilesTable,
  OpenAiBatchesTable,
  RequestsTable,
  SpecVersionsTable,
  TenantsTable,
} from './schema-service.ts'

/**
 * The tables, as both databases have them. Flags are 0 or 1 and times UTC milliseconds in integers, so that nothing has to be converted;
 * hashes and attempt ids are bytes, because they stand in every row (`bytes.ts`).
 */
export interface Database {
  schema_level: SchemaLevelTable
  tenants: TenantsTable
  specs: SpecsTable
  jobs: JobsTable
  rounds: RoundsTable
  segments: SegmentsTable
  chunks: ChunksTable
  rows: RowsTable
  attempts: AttemptsTable
  budget_grants: BudgetGrantsTable
  budget_holdings: BudgetHoldingsTable
  batch_kinds: BatchKindsTable
  batch_parts: BatchPartsTable
  batch_shards: BatchShardsTable
  tenant_days: TenantDaysTable
  prices: PricesTable
  job_costs: JobCostsTable
  answers: AnswersTable
  answers_recent: AnswersRecentTable
  events: EventsTable
  outbox: OutboxTable
  outbox_gone: OutboxGoneTable
  api_keys: ApiKeysTable
  audit: AuditTable
  files: FilesTable
  file_parts: FilePartsTable
  requests: RequestsTable
  openai_batches: OpenAiBatchesTable
  spec_versions: SpecVersionsTable
  messages: MessagesTable
  tenant_turns: TenantTurnsTable
  tenant_charges: TenantChargesTable
  limits: LimitsTable
  workers: WorkersTable
  roles: RolesTable
}

/** One row: how far the schema has come (migrate.ts). */
interface SchemaLevelTable {
  level: number
  oldest_level: number
}

interface SpecsTable {
  tenant_no: number
  hash: string
  name: string
  canonical_json: string
  created_at_ms: number
}

/** `Counters`, in jobs and in chunks alike. */
export interface CounterColumns {
  succeeded: Generated<number>
  failed: Generated<number>
  skipped: Generated<number>
  cancelled: Generated<number>
  cached: Generated<number>
  cached_here: Generated<number>
  retried: Generated<number>
  fallback: Generated<number>
  attempts: Generated<number>
  input_tokens: Generated<number>
  cached_tokens: Generated<number>
  output_tokens: Generated<number>
  cost_nano: Generated<number>
  unpriced: Generated<number>
  saved_input_tokens: Generated<number>
  saved_output_tokens: Generated<number>
  saved_nano: Generated<number>
}

export interface JobsTable extends CounterColumns {
  job_no: Generated<number>
  id: string
  tenant_no: number
  /** Where the job's rows lie: the partition on PostgreSQL, always 0 on SQLite. */
  bucket: number
  /** Of the current round; `rounds` has that of each. */
  spec_hash: string
  spec_name: string
  state: JobState
  reason: StateReason | null
  detail: string | null
  wanted: Wanted | null
  wanted_reason: StateReason | null
  wanted_detail: string | null
  trigger: Trigger
  trigger_ref: string | null
  job_key: string | null
  round: Generated<number>
  rows_total: Generated<number>
  chunks_total: Generated<number>
  open_chunks: Generated<number>
  concurrency: number | null
  priority: Priority | null
  /** What the job may use, where that was set; else its spec says. */
  budget_nano: number | null
  budget_tokens: number | null
  /** Of requests whose senders are gone, or done with the job: what nobody knows whether it was billed. */
  doubt_nano: Generated<number>
  doubt_tokens: Generated<number>
  /** The low end of the projection for which the job was paused last, under the budget that it still has. */
  stopped_at_nano: Generated<number | null>
  stopped_at_tokens: Generated<number | null>
  input_hash: string | null
  /** `InputDescription` as JSON. */
  input: string | null
  created_at_ms: number
  started_at_ms: number | null
  ended_at_ms: number | null
  active_ms: Generated<number>
  active_since_ms: number | null
  version: string
  submission: string
  /** When its input was said to be there for whoever comes by; `null`: its submitter reads it. */
  begun_at_ms: number | null
  /** It waits until its tenant runs fewer jobs: 0 goes before 1, and that before 2; `null`: it has its turn. */
  waits: Generated<number | null>
  segments: Generated<number>
  unreadable: Generated<number>
  intake_position: string | null
  manifest_closed: Generated<number>
  /** The last `done_no` given to a chunk, and the last number given to an event. */
  done_seq: Generated<number>
  event_seq: Generated<number>
  /** When the job's rows and manifest were thrown away as too old. */
  dropped_at_ms: number | null
  /** `Route` as JSON; `null`: none. */
  route: string | null
  /** Chunks before this one that are ready have their message in the queue. */
  queued_to: Generated<number>
  /** Grows where the ledger of a job changes that may be over: a new round, an attempt booked late. */
  ledger_version: Generated<number>
  /** The `ledger_version` that `job_costs` holds the sums of; `null`: none. */
  costs_version: number | null
}

interface RoundsTable {
  job_no: number
  round: number
  spec_hash: string
  selection: string
  created_at_ms: number
}

interface SegmentsTable {
  job_no: number
  segment_no: number
  blob_key: string
  bytes: number
  sha256: Uint8Array
}

export interface ChunksTable extends CounterColumns {
  job_no: number
  chunk_no: number
  segment_no: number
  byte_offset: number
  byte_length: number
  sha256: Uint8Array
  first_row: number
  rows: number
  state: Generated<ChunkState>
  epoch: Generated<number>
  owner: string | null
  deaths: Generated<number>
  round: Generated<number>
  done_no: number | null
  /** 1 while the chunk is open and may have counters that are not yet in its job: what `progress` adds up. */
  counting: Generated<number>
  /** By the database's clock, of the latest claim. */
  leased_at_ms: number | null
}

export interface RowsTable {
  bucket: number
  job_no: number
  /** 0 until rows have several steps. */
  step: number
  row_index: number
  chunk_no: number
  /** `null`: the index as text, as for every job without `input.key`. */
  row_id: string | null
  state: OutcomeState
  /** Never null for a failed or cancelled row: the index over dead letters hangs on it. */
  cause: Cause | null
  message: string | null
  output: string | null
  reply: string | null
  attempts: number
  model: string | null
  lane: LaneName | null
  input_tokens: number
  output_tokens: number
  cost_nano: number | null
  latency_ms: number | null
  request_hash: Uint8Array | null
  spec_hash: Uint8Array
  round: number
  ended_at_ms: number
  fallback: number
}

/** Which row a request's answer is to come from. It may not be there yet: then the claim stands as long as its chunk is leased under `epoch`. */
interface AnswersTable {
  answer_key: Uint8Array
  job_no: number
  row_index: number
  chunk_no: number
  epoch: number
}

/** Answers in the order they came, until they are merged into `answers` in the order of their keys (sqlite-answers.ts). */
interface AnswersRecentTable extends AnswersTable {
  entry_no: Generated<number>
}

interface EventsTable {
  job_no: number
  seq: number
  at_ms: number
  type: string
  data: string
}

/** The embedded queue's messages; queue/embedded.ts says what they mean. */
interface MessagesTable {
  message_no: Generated<number>
  task: string
  job_no: number
  tenant_no: number
  priority: number
  due_at_ms: number
  lease_until_ms: number | null
  worker: string | null
  receipt: Generated<number>
  deliveries: Generated<number>
  turn: Generated<number>
  held_since_ms: number | null
  charged: Generated<number>
  level: Generated<number>
}

/** Where each tenant stands in the line of tenants; queue/tenant-line.ts says what they mean. */
interface TenantTurnsTable {
  tenant_no: number
  had: number
  began: number
  typical: number | null
}

interface TenantChargesTable {
  charge_no: Generated<number>
  tenant_no: number
  charged: number
  tokens: number
  whole: number
}
