import type { AttemptFact, AttemptIntent, PastAttempt } from '../domain/attempt.ts'
import type { Chunk, ChunkClaim, ChunkExtent, ChunkRef } from '../domain/chunk.ts'
import type { Cause } from '../domain/failure.ts'
import type {
  Counters,
  InputDescription,
  Job,
  JobId,
  JobSettings,
  JobState,
  StateReason,
  Trigger,
  Wanted,
} from '../domain/job.ts'
import type { Outcome, OutcomeState, UnreadableLine } from '../domain/row.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { CauseCount, Ledger, StoredAttempt, StoredOutcome } from '../domain/stored.ts'

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
  readonly answers: Answers
  readonly events: Events
  readonly specs: Specs
  /** Runs `work` as one transaction on the process's one write handle. Commits when it resolves, rolls back when it throws. Never nested. */
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  /** Makes room for a last few commits on a full disk (frees the ballast file). Harmless to repeat. */
  freeBallast(): Promise<void>
  /** Puts the ballast back, where there is room for it. */
  restoreBallast(): Promise<void>
  /** Whether a durable write goes through now. */
  probe(): Promise<boolean>
  close(): Promise<void>
}

export interface NewJob {
  readonly id: JobId
  readonly tenantNo: number
  readonly specName: string
  readonly specHash: string
  readonly trigger: Trigger
  readonly triggerRef: string | null
  readonly jobKey: string | null
  readonly settings: JobSettings
  /** Whatever intake needs to begin, or to go on after a crash: base directory, selection. JSON. */
  readonly submission: string
  readonly atMs: number
}

/** What intake has committed so far. */
export interface IntakeProgress {
  readonly segments: number
  readonly rows: number
  readonly unreadable: number
  /** Opaque to the store: where in the source to go on. JSON. `null`: at the start. */
  readonly position: string | null
  readonly done: boolean
}

export interface NewSegment {
  readonly jobNo: number
  readonly segmentNo: number
  readonly key: string
  readonly bytes: number
  readonly sha256: string
  /** Chunks in it, numbered on from the last. */
  readonly chunks: readonly (ChunkExtent & { readonly chunkNo: number })[]
  readonly unreadable: readonly (UnreadableLine & { readonly chunkNo: number })[]
  /** Where in the source the next segment begins. */
  readonly position: string
}

export interface StateChange {
  readonly to: JobState
  readonly reason?: StateReason | null
  readonly detail?: string | null
  /** Only while this is wanted of the job. */
  readonly fulfils?: Wanted
  readonly atMs: number
}

/** `before` continues after the last `jobNo` of a page; `states`: only those. */
export type JobPage = { readonly limit: number; readonly before?: number; readonly states?: readonly JobState[] }

export interface Jobs {
  /** Inserts a job in state `created`. With a `jobKey` that its tenant already uses, inserts nothing and returns that job. */
  create(job: NewJob): Promise<{ readonly job: Job; readonly created: boolean }>
  get(tenantNo: number, id: JobId): Promise<Job | null>
  getByNo(jobNo: number): Promise<Job | null>
  byKey(tenantNo: number, jobKey: string): Promise<Job | null>
  /** Newest first. */
  list(tenantNo: number, page: JobPage): Promise<readonly Job[]>
  submission(jobNo: number): Promise<string>
  /**
   * Guarded change of state: happens only when the job stands in one of `from` (and domain/job.ts allows the change), and then records
   * a `job.state` event. Never out of a terminal state. A `pause` wish ends when the job pauses or finalizes, a `cancel` only when it is over.
   * Keeps `activeMs`/`activeSinceMs` true. `false`: it stood elsewhere.
   */
  change(tx: StoreTx, jobNo: number, from: readonly JobState[], change: StateChange): Promise<boolean>
  /** Records a wish; `null` withdraws it. A `cancel` is never replaced by a `pause`. */
  want(jobNo: number, wanted: Wanted | null, reason?: StateReason | null, detail?: string | null): Promise<void>
  /** State, wish and settings of the given jobs, for heartbeats. */
  controls(jobNos: readonly number[]): Promise<readonly JobControl[]>
  set(jobNo: number, settings: Partial<JobSettings>, atMs: number): Promise<void>
  /** Opens the next round on a terminal job: state `queued`, `specHash` the round's. `false`: it is not over, or stands in another round. */
  openRound(tx: StoreTx, jobNo: number, round: NewRound): Promise<boolean>
  round(jobNo: number, round: number): Promise<Round | null>
  /** Totals of the job with those of its open chunks: exact at the time of the read, at a cost that does not grow with the rows. */
  progress(jobNo: number): Promise<JobProgress>
}

export interface JobControl {
  readonly jobNo: number
  readonly state: JobState
  readonly wanted: Wanted | null
  readonly wantedReason: StateReason | null
  readonly settings: JobSettings
}

export interface NewRound {
  readonly round: number
  readonly specHash: string
  /** What was asked for, as JSON, for the record. */
  readonly selection: string
  readonly atMs: number
}

export interface Round extends NewRound {
  readonly jobNo: number
}

export interface JobProgress {
  readonly job: Job
  readonly counters: Counters
  readonly chunksDone: number
  readonly chunksLeased: number
}

export interface Chunks {
  /**
   * The manifest, written by intake: one segment's chunks, its unreadable lines as outcomes, and the position, in one transaction. Rejects with
   * SluiceError `job_state` when the job takes no more input, or another process has committed this segment.
   */
  appendSegment(segment: NewSegment): Promise<void>
  intakeProgress(jobNo: number): Promise<IntakeProgress>
  /** Closes the manifest: input hash and description are recorded; job totals are final. */
  closeManifest(tx: StoreTx, jobNo: number, input: InputDescription, inputHash: string): Promise<void>
  get(ref: ChunkRef): Promise<Chunk | null>
  /** In chunk order, from `fromChunk` (inclusive), at most `limit`. */
  list(jobNo: number, fromChunk: number, limit: number): Promise<readonly Chunk[]>
  /** Chunks that are done, in the order in which they were, after `afterDoneNo`, at most `limit`: for whoever follows the results. */
  listDone(jobNo: number, afterDoneNo: number, limit: number): Promise<readonly Chunk[]>
  /** All chunks of the job that are `ready` or `parked`, in order: what a queue is made from. With `tx`, as that has left them. */
  open(jobNo: number, tx?: StoreTx): Promise<readonly ChunkRef[]>
  /**
   * Claims the chunk for `owner`: raises its epoch, sets `leased`, and turns the `open` attempts of earlier epochs into `lost`, whose worst case
   * goes into the chunk's counters. `died`: an earlier lease ended without a word, which counts towards `deaths`. `null`: done, failed, or its
   * job is not queued or running, or something is `wanted` of it. The job becomes `running` with its first claim.
   */
  claim(ref: ChunkRef, owner: string, died: boolean, atMs: number): Promise<ClaimedChunk | null>
  /** Gives a claimed chunk back: `ready` (or `parked`). `false`: the epoch had passed. */
  release(tx: StoreTx, claim: ChunkClaim, to: 'ready' | 'parked'): Promise<boolean>
  /**
   * Closes a claimed chunk whose rows all have outcomes: `done`, its `done_no`, its counters into the job, `open_chunks` lowered; the last one
   * moves the job to `finalizing`. `'stale'`: the epoch had passed, roll back.
   */
  complete(tx: StoreTx, claim: ChunkClaim, atMs: number): Promise<ChunkEnd>
  /** Ends a chunk that keeps killing its workers: its rows without outcome become dead letters (`chunk_failed`). */
  fail(tx: StoreTx, claim: ChunkClaim, message: string, pending: readonly PendingRow[], atMs: number): Promise<ChunkEnd>
  /** Gives every row without outcome in a terminal-bound job the outcome `cancelled`, chunk by chunk; closes the chunks. Only when none is leased: else `false`. */
  cancelOpen(tx: StoreTx, ref: ChunkRef, pending: readonly PendingRow[], atMs: number): Promise<boolean>
  /** How many chunks of the job are `leased` now. */
  leased(jobNo: number): Promise<number>
  /**
   * Makes every `leased` chunk of the job `ready`: only when nobody holds a message of it. Their old holders are fenced off by that, and their
   * open attempts become `lost`. Part of `tx`.
   */
  takeBack(tx: StoreTx, jobNo: number): Promise<void>
  /** Forgives the deaths of the job's open chunks: a person has looked, and wants it to go on. Part of `tx`. */
  forgiveDeaths(tx: StoreTx, jobNo: number): Promise<void>
}

/** What became of a chunk that was to end: its epoch had passed, it ended, or it was the last of its job. */
export type ChunkEnd = 'stale' | 'completed' | 'last'

/** A row without an outcome. */
export interface PendingRow {
  readonly index: number
  readonly id: string
}

export interface ClaimedChunk {
  readonly chunk: Chunk
  readonly job: Job
  /** Attempts that the claim booked as `lost`. */
  readonly lost: number
}

/** One natural group of writes by one worker: what ended, or is about to be sent, while the previous group committed. */
export interface RecordGroup {
  readonly intents: readonly AttemptIntent[]
  readonly facts: readonly AttemptFact[]
  readonly outcomes: readonly {
    readonly claim: ChunkClaim
    readonly outcome: Outcome
    readonly answerScope: string | null
  }[]
  /** What each claim's counters gain by this group: by its facts their attempts, tokens and cost, by its outcomes `countsOfOutcome`. */
  readonly deltas: readonly { readonly claim: ChunkClaim; readonly delta: Counters }[]
}

export interface Rows {
  /**
   * Commits a group inside `tx`. Intents and facts are always written (facts of a stale epoch as `orphaned`; a `lost` attempt takes the real
   * figures, and the job's totals are corrected by the difference). Outcomes and counters only where the chunk still stands `leased` under the
   * claim's epoch; epochs are checked per chunk, in chunk order. Returns the claims that had passed. An accepted outcome with an `answerScope`
   * can be found by `answers.find`. Intents of a stale claim are not written, and must not be sent.
   */
  record(tx: StoreTx, group: RecordGroup): Promise<readonly ChunkClaim[]>
  /** Indices among `firstRow … firstRow+rows-1` that have an outcome. */
  ended(jobNo: number, firstRow: number, rows: number): Promise<ReadonlySet<number>>
  /** Outcomes in row order, from `fromRow`, at most `limit`. `states`: only those. */
  list(
    jobNo: number,
    fromRow: number,
    limit: number,
    states?: readonly OutcomeState[],
  ): Promise<readonly StoredOutcome[]>
  get(jobNo: number, rowIndex: number): Promise<StoredOutcome | null>
  byId(jobNo: number, rowId: string): Promise<StoredOutcome | null>
  /** Failed rows by cause with one example each, most first. */
  causes(jobNo: number): Promise<readonly CauseCount[]>
  /** The rows that cost most, most first. */
  dearest(jobNo: number, limit: number): Promise<readonly StoredOutcome[]>
  /**
   * For a new round: takes back the outcomes that match, makes their chunks `ready` in `round`, and lowers the job's totals. Attempts stay, and
   * so do unreadable lines, which no retry can mend. Returns how many rows and which chunks.
   */
  reopen(
    tx: StoreTx,
    jobNo: number,
    round: number,
    selection: RowSelection,
  ): Promise<{ readonly rows: number; readonly chunks: readonly number[] }>
}

/** Failed and cancelled rows that meet all of what is given. */
export interface RowSelection {
  readonly causes?: readonly Cause[]
  readonly chunkNos?: readonly number[]
  readonly rowIds?: readonly string[]
}

/** Where an attempt stands in the ledger's order. */
export type AttemptPlace = Pick<StoredAttempt, 'chunkNo' | 'id'>

export interface Attempts {
  /** Attempts of the chunk's rows in its current round, by row. For a chunk that is taken up again. */
  ofChunk(ref: ChunkRef, round: number): Promise<ReadonlyMap<number, readonly PastAttempt[]>>
  /** All attempts of one row, oldest first. */
  ofRow(jobNo: number, rowIndex: number): Promise<readonly StoredAttempt[]>
  /** The ledger's sums for a job: counted over attempts, for the report and for checks. */
  ledger(jobNo: number): Promise<Ledger>
  /** The ledger as it stands, chunk by chunk and in each oldest first, for export. `after`: the last one of the page before. */
  list(jobNo: number, after: AttemptPlace | null, limit: number): Promise<readonly StoredAttempt[]>
}

export interface Answers {
  /** Accepted answers for these request hashes in the scope of one tenant. A row that is gone is a miss. */
  find(tenantNo: number, scope: string, requestHashes: readonly string[]): Promise<ReadonlyMap<string, StoredOutcome>>
}

export interface StoredEvent {
  readonly seq: number
  readonly atMs: number
  readonly type: string
  readonly data: string
}

export interface Events {
  /** Adds a durable event, numbered under its job. */
  append(tx: StoreTx, jobNo: number, type: string, data: object, atMs: number): Promise<void>
  list(jobNo: number, afterSeq: number, limit: number): Promise<readonly StoredEvent[]>
}

export interface Specs {
  /** Keeps a version; the same hash again changes nothing. */
  put(tenantNo: number, hash: string, name: string, canonicalJson: string, atMs: number): Promise<void>
  get(tenantNo: number, hash: string): Promise<string | null>
}
