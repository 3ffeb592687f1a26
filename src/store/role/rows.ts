import type { AttemptFact, AttemptIntent } from '../../domain/attempt.ts'
import type { ChunkClaim } from '../../domain/chunk.ts'
import type { Cause } from '../../domain/failure.ts'
import type { Counters } from '../../domain/job.ts'
import type { Outcome, OutcomeState } from '../../domain/row.ts'
import type { StoreTx } from '../../domain/store-tx.ts'
import type { CauseCount, RowSizes, StoredOutcome } from '../../domain/stored.ts'

/** One natural group of writes by one worker: what ended, or is about to be sent, while the previous group committed. */
export interface RecordGroup {
  readonly intents: readonly AttemptIntent[]
  readonly facts: readonly AttemptFact[]
  readonly outcomes: readonly { readonly claim: ChunkClaim; readonly outcome: Outcome }[]
  /** What each claim's counters gain by this group: by its facts their attempts, tokens and cost, by its outcomes `countsOfOutcome`. */
  readonly deltas: readonly { readonly claim: ChunkClaim; readonly delta: Counters }[]
}

export interface Rows {
  /**
   * Commits a group inside `tx`. Intents and facts are always written (facts of a stale epoch as `orphaned`; a `lost` attempt takes the real
   * figures, and the job's totals are corrected by the difference). Outcomes and counters only where the chunk still stands `leased` under the
   * claim's epoch; epochs are checked per chunk, in chunk order. Returns the claims that had passed. An accepted outcome of a row that
   * had claimed its request can be found by `answers.find`. Intents of a stale claim are not written, and must not be sent.
   */
  record(tx: StoreTx, group: RecordGroup): Promise<readonly ChunkClaim[]>
  /** Indices among `firstRow … firstRow+rows-1` that have an outcome. */
  ended(jobNo: number, firstRow: number, rows: number): Promise<ReadonlySet<number>>
  /** Outcomes in row order, from `fromRow`, at most `limit`. `states`: only those. `beforeRow`: none from there on is looked at. */
  list(
    jobNo: number,
    fromRow: number,
    limit: number,
    states?: readonly OutcomeState[],
    beforeRow?: number,
  ): Promise<readonly StoredOutcome[]>
  get(jobNo: number, rowIndex: number): Promise<StoredOutcome | null>
  byId(jobNo: number, rowId: string): Promise<StoredOutcome | null>
  /** Failed rows by cause with one example each, most first. */
  causes(jobNo: number): Promise<readonly CauseCount[]>
  /** The rows that cost most, most first. */
  dearest(jobNo: number, limit: number): Promise<readonly StoredOutcome[]>
  /** The rows that used tokens, counted by how many. Some thousand entries at the most. */
  sizes(jobNo: number): Promise<RowSizes>
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
