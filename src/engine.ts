import type { KnownModel } from './domain/allowance.ts'
import type { BudgetView } from './domain/budget-view.ts'
import type { Cause } from './domain/failure.ts'
import type { Counters, Job, JobId, JobSettings, JobState } from './domain/job.ts'
import type { NanoUsd } from './domain/money.ts'
import type { Notice, NoticeState } from './domain/notice.ts'
import type { Plan } from './domain/plan.ts'
import type { Message } from './domain/request.ts'
import type { ExecutionSpec } from './domain/spec.ts'
import type { StoredAttempt, StoredOutcome } from './domain/stored.ts'
import type { AnyWork, FleetStatus, WorkAnyOptions } from './engine/any-work.ts'
import type { CostReport, CostRequest } from './engine/cost-report.ts'
import type { OpenBatch, ShardVerdict } from './engine/open-batches.ts'
import type { Turnarounds } from './engine/turnarounds.ts'
import type { ExitCode, Finding } from './errors.ts'
import type { BatchFigures } from './store/role/batches.ts'

export type { AnyWork, FleetChunk, FleetMember, FleetStatus, WorkAnyOptions, WorkerStatus } from './engine/any-work.ts'
export type { CostKey, CostLine, CostReport, CostRequest } from './engine/cost-report.ts'
export type { OpenBatch, ShardVerdict } from './engine/open-batches.ts'

/**
 * The engine, as every face sees it: a few verbs. Each verb that changes a job can be repeated without harm, and works from any process
 * on the same data directory. Errors are `SluiceError`s.
 */
export interface Engine {
  /** Finds everything that is wrong with a spec and its input at once; spends nothing. */
  check(specPath: string, overrides?: SpecOverrides): Promise<CheckReport>
  /**
   * Says what a run would do, cost and take: goes over all of the input, and looks at earlier jobs of the spec. Spends nothing, except on the pilot
   * that `pilot` asks for; one that does not come to its end leaves `plan` null, as errors of the spec do.
   */
  plan(request: PlanRequest): Promise<Planned>
  /**
   * Creates the job and reads its input into the snapshot. With a job key that is taken: attaches to that job (same spec and input), or throws
   * `job_key_conflict`. An intake that died before is continued. The job is `queued` when this returns (unless it is over already).
   */
  submit(request: SubmitRequest): Promise<Submitted>
  /**
   * Works on the job in this process until it is over, paused, or `signal` says stop (then rows in flight are finished, within a bound, and
   * everything is checkpointed; `abandon` stops at once, still safe). Continues an unfinished intake first.
   */
  work(id: JobId, options: WorkOptions): Promise<JobStatus>
  /** Joins the fleet, and works on any job until told to leave. */
  workAny(options: WorkAnyOptions): Promise<AnyWork>
  /** Who works on this store, and on what. */
  fleet(): Promise<FleetStatus>
  /** Asks a worker of the fleet to have so many rows in flight at the most. Throws `worker_not_found` where none of that id lives. */
  setWorker(workerId: string, concurrency: number): Promise<void>
  /** Makes all messages of all jobs anew from the manifest. Returns of how many jobs. */
  rebuildQueue(): Promise<number>
  /** Makes a paused job `queued` again; a job that is queued or running stays so. Does not work on it. */
  resume(id: JobId): Promise<Job>
  pause(id: JobId): Promise<Job>
  cancel(id: JobId): Promise<Job>
  /** Opens a new round over the failed rows that match. */
  retry(id: JobId, request: RetryRequest): Promise<{ readonly job: Job; readonly rows: number }>
  /** Changes a job while it lives; workers see it at their next heartbeat. Throws `budget_unkeepable`. */
  set(id: JobId, settings: Partial<JobSettings>): Promise<Job>
  /** The newest job, or the newest that stands in one of `states`. */
  latest(states?: readonly JobState[]): Promise<Job | null>
  jobs(options: {
    readonly limit: number
    readonly states?: readonly JobState[]
    readonly includeTries?: boolean
  }): Promise<readonly JobStatus[]>
  status(id: JobId): Promise<JobStatus>
  /** Batches that are not brought back yet, of one job or of all that are not over, oldest first. */
  batches(id?: JobId): Promise<readonly OpenBatch[]>
  /**
   * Says of a batch of which nobody knows whether it was created which one at the provider it is, or that it was not sent. `batch` is its shard's id, or the
   * provider's. Believed where the provider does not say otherwise: throws `batch_not_found`, `batch_state`, `batch_refuted`, `provider_unanswered`.
   */
  settle(batch: string, verdict: ShardVerdict): Promise<OpenBatch>
  /** Status at once, then whenever it changed (looked at about once a second), until the job stands still or `signal` aborts. */
  watch(id: JobId, signal: AbortSignal): AsyncIterable<JobStatus>
  /** Waits until the job stands still; `null` when the time passed first. */
  wait(
    id: JobId,
    options: { readonly timeoutMs: number | null; readonly signal: AbortSignal },
  ): Promise<JobStatus | null>
  /** Writes the result table to `to` in input order; may be called while the job runs. Returns rows written. */
  results(id: JobId, request: ResultsRequest): Promise<ResultsWritten>
  /**
   * Result rows as NDJSON, batch by batch as chunks finish, from after the batch that ended at `after`; ends when the job stands still and all
   * that is done was given, or when `signal` aborts. No row twice, none missing.
   */
  follow(id: JobId, request: FollowRequest): AsyncIterable<FollowedRows>
  /** Dead letters by cause, with an example each; with `cause`, only that one. */
  failed(id: JobId, cause?: Cause): Promise<readonly FailedGroup[]>
  /** Every dead letter in input order with its full context (input, cause, last reply, attempts and their times), each a line of NDJSON. */
  deadLetters(id: JobId, cause?: Cause): AsyncIterable<string>
  /** The completion report of the job as it stands. */
  report(id: JobId, format: 'md' | 'json'): Promise<string>
  /** What all jobs have cost, trials among them, running ones as they stand, rolled up. */
  costs(request: CostRequest): Promise<CostReport>
  /** Notices to those whom specs name, newest first. */
  notices(query: { readonly limit: number; readonly states?: readonly NoticeState[] }): Promise<readonly Notice[]>
  /** Sends a notice anew, whatever had become of it, and nothing else; returns what came of it. Throws `notice_not_found`. */
  replayNotice(id: string, signal: AbortSignal): Promise<Notice>
  /** Makes an attempt for each notice of the store that is due; returns for how many. What does not arrive is due again later. */
  sendNotices(signal: AbortSignal): Promise<number>
  /** One row: its input, outcome and attempts. `row` is its key or index. */
  row(id: JobId, row: string): Promise<RowView>
  /** What would be sent for the first rows of a job, rendered; nothing is sent. */
  prompts(id: JobId, limit: number): Promise<readonly PromptView[]>
  close(): Promise<void>
}

export interface SpecOverrides {
  readonly input?: string
  readonly model?: string
  readonly lane?: string
  readonly limit?: number
  readonly vars?: Readonly<Record<string, string>>
}

export interface CheckReport {
  readonly findings: readonly Finding[]
  readonly ok: boolean
}

export interface SubmitRequest {
  readonly specPath: string
  readonly overrides?: SpecOverrides
  readonly jobKey?: string
  /** `try`: which rows; absent: all. */
  readonly selection?: RowPick
  readonly signal?: AbortSignal
  /** The rows are a pilot of a plan. */
  readonly pilot?: boolean
  /** Runs what was planned: throws `plan_stale`, before anything is created, where spec, input or prices are not what they were. */
  readonly plan?: Pick<Plan, 'id' | 'binding'> & { readonly expectedNano?: NanoUsd | null }
  readonly onIntake?: (progress: IntakeProgress) => void
}

/** How far the reading of an input has come. */
export interface IntakeProgress {
  readonly rows: number
  readonly unreadable: number
  readonly bytesRead: number
  readonly bytesTotal: number | null
}

export interface PlanRequest {
  readonly specPath: string
  readonly overrides?: SpecOverrides
  /** Compares the rows to run with the latest earlier job of the spec. */
  readonly explain?: boolean
  /** Asks so many of the rows to run, drawn at random, and counts with what they use. */
  readonly pilot?: WorkOptions & { readonly rows: number }
  readonly signal?: AbortSignal
  readonly onIntake?: (progress: IntakeProgress) => void
}

export interface Planned {
  /** As `check` gives them. */
  readonly findings: readonly Finding[]
  /** `null`: the spec has errors, or the pilot stands still. */
  readonly plan: Plan | null
  readonly pilot: JobStatus | null
}

/** Which rows of the input a trial takes. */
export type RowPick =
  | { readonly kind: 'first'; readonly n: number }
  | { readonly kind: 'sample'; readonly n: number; readonly seed: number }
  | { readonly kind: 'keys'; readonly keys: readonly string[] }

export interface Submitted {
  readonly job: Job
  /** `false`: the job key already had this job. */
  readonly created: boolean
  /** Things the user should know: how the input was read, … */
  readonly notes: readonly string[]
}

export interface WorkOptions {
  readonly signal: AbortSignal
  readonly abandon: AbortSignal
  /** Called about four times a second, and at each change of state. */
  readonly onStatus?: (status: JobStatus) => void
}

export interface RetryRequest {
  readonly causes?: readonly Cause[]
  readonly chunks?: readonly number[]
  readonly rows?: readonly string[]
  readonly model?: string
  /** In place of `model`: one that the operator has named, with its address and key. */
  readonly target?: KnownModel
  /** `pinned`: the spec the job ran with; `current`: the file as it is now (its path is given). */
  readonly spec?: 'pinned' | 'current'
  readonly specPath?: string
}

export interface ResultsRequest {
  readonly to:
    | { readonly kind: 'file'; readonly path: string }
    | { readonly kind: 'stream'; readonly write: (text: string) => Promise<void> }
  readonly format: 'csv' | 'jsonl' | 'parquet'
  readonly only?: 'ok' | 'failed'
  readonly safeCsv?: boolean
  readonly includeInput?: boolean
  readonly signal?: AbortSignal
}

export interface ResultsWritten {
  readonly rows: number
  readonly ok: number
  readonly failed: number
  readonly pending: number
}

export interface FollowRequest {
  /** Opaque; `null`: from the start. */
  readonly after: string | null
  readonly only?: 'ok' | 'failed'
  readonly signal: AbortSignal
}

/** Rows of the result table as whole NDJSON lines, and where to go on after them. */
export interface FollowedRows {
  readonly text: string
  readonly rows: number
  readonly cursor: string
}

/** A job with everything that a panel, a list or a summary line shows. */
export interface JobStatus {
  readonly job: Job
  /** Totals so far, open chunks included. */
  readonly counters: Counters
  readonly chunksDone: number
  readonly rowsDone: number
  /** Rows that were done when this stretch of work began: a resumed bar starts there. */
  readonly rowsAtStart: number
  readonly elapsedMs: number
  /** What only the process that works on the job knows; `null` elsewhere. */
  readonly live: LiveStatus | null
  /** Dead letters by cause, most first. */
  readonly causes: readonly { readonly cause: Cause; readonly rows: number }[]
  readonly exitCode: ExitCode
  /** Model as asked, for the panel. */
  readonly model: string
  /** As in the spec; a trial goes live. Which way `auto` goes, `job.route` says. */
  readonly lane: ExecutionSpec['lane']
  /** UTC; `null`: there is none. */
  readonly deadlineAtMs: number | null
  /** What of it is in batches; `null`: it is over, or nothing of it goes by batch. */
  readonly batches: BatchFigures | null
  /** How long batches of its account took lately; `null`: nothing of it is in batches, or too few have been seen to tell. */
  readonly turnarounds: Turnarounds | null
  /** `null`: it has no budget. */
  readonly budget: BudgetView | null
}

export interface LiveStatus {
  readonly phase: 'intake' | 'working' | 'stopping' | 'waiting' | 'finalizing' | 'storage'
  readonly inFlight: number
  readonly concurrency: number
  readonly rowsPerSecond: number
  readonly tokensPerMinute: number
  readonly etaMs: number | null
  /** Failures of attempts that were, or are to be, asked again, by cause, in this process. */
  readonly retrying: readonly { readonly cause: Cause; readonly attempts: number }[]
  /** When the last commit returned, UTC ms. */
  readonly lastCommitMs: number | null
  /** E.g. `provider asked to wait: 12 s`. */
  readonly note: string | null
}

export interface FailedGroup {
  readonly cause: Cause
  readonly rows: number
  readonly meaning: string
  readonly advice: string
  readonly retryable: boolean
  readonly examples: readonly StoredOutcome[]
}

export interface RowView {
  readonly outcome: StoredOutcome | null
  readonly input: Readonly<Record<string, unknown>> | null
  readonly attempts: readonly StoredAttempt[]
}

export interface PromptView {
  readonly rowId: string
  readonly system: string | null
  readonly messages: readonly Message[]
  readonly error: string | null
}
