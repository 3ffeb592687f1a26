import type { StoreTx } from '../domain/store-tx.ts'
import type { Answers } from './role/answers.ts'
import type { Attempts } from './role/attempts.ts'
import type { Audit } from './role/audit.ts'
import type { Batches } from './role/batches.ts'
import type { Budgets } from './role/budgets.ts'
import type { Chunks } from './role/chunks.ts'
import type { Costs } from './role/costs.ts'
import type { Events } from './role/events.ts'
import type { Files } from './role/files.ts'
import type { Fleet } from './role/fleet.ts'
import type { Jobs } from './role/jobs.ts'
import type { Keys } from './role/keys.ts'
import type { Limits } from './role/limits.ts'
import type { OpenAiBatches } from './role/openai-batches.ts'
import type { Outbox } from './role/outbox.ts'
import type { Requests } from './role/requests.ts'
import type { Rows } from './role/rows.ts'
import type { Specs } from './role/specs.ts'
import type { Tenants } from './role/tenants.ts'
import type { Upkeep } from './role/upkeep.ts'

export type { Attempts } from './role/attempts.ts'
export type { Chunks, ClaimedChunk, IntakeProgress, NewSegment } from './role/chunks.ts'
export type { Role } from './role/fleet.ts'
export type { Jobs, NewJob } from './role/jobs.ts'
export type { RecordGroup, RowSelection, Rows } from './role/rows.ts'

/** The default tenant; it exists from the first migration. */
export const DEFAULT_TENANT = 1

/**
 * The store: jobs, their manifest, outcomes and the ledger, in small roles. Every verb takes the tenant or a `jobNo` that the caller
 * got from a tenant's query. Verbs that take a `tx` are part of it; the others are a transaction of their own.
 * Failures of the database itself are thrown as `StorageFailure`.
 */
export interface Store {
  readonly jobs: Jobs
  readonly chunks: Chunks
  readonly rows: Rows
  readonly attempts: Attempts
  readonly costs: Costs
  readonly budgets: Budgets
  readonly batches: Batches
  readonly answers: Answers
  readonly events: Events
  readonly outbox: Outbox
  readonly fleet: Fleet
  readonly limits: Limits
  readonly specs: Specs
  readonly tenants: Tenants
  readonly keys: Keys
  readonly files: Files
  readonly requests: Requests
  readonly audit: Audit
  readonly openAiBatches: OpenAiBatches
  readonly upkeep: Upkeep
  /** Runs `work` as one transaction on the process's one write handle. Commits when it resolves, rolls back when it throws. Never nested. */
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  /** Rejects with SluiceError `store_version` where a newer sluice has brought the database to a level that this one cannot work with. */
  checkLevel(): Promise<void>
  /** Makes room for a last few commits on a full disk (frees the ballast file). Harmless to repeat. */
  freeBallast(): Promise<void>
  /** Puts the ballast back, where there is room for it. */
  restoreBallast(): Promise<void>
  close(): Promise<void>
}
