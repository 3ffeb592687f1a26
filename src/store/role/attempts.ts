import type { KnownAttempt } from '../../domain/attempt.ts'
import type { ChunkRef } from '../../domain/chunk.ts'
import type { Ledger } from '../../domain/ledger.ts'
import type { RowTokens, StoredAttempt } from '../../domain/stored.ts'

/** Where an attempt stands in the ledger's order. */
export type AttemptPlace = Pick<StoredAttempt, 'chunkNo' | 'id'>

export interface Attempts {
  /** Attempts of the chunk's rows in its current round, by row. For a chunk that is taken up again. */
  ofChunk(ref: ChunkRef, round: number): Promise<ReadonlyMap<number, readonly KnownAttempt[]>>
  /** All attempts of one row, oldest first. */
  ofRow(jobNo: number, rowIndex: number): Promise<readonly StoredAttempt[]>
  /** Tokens read from and written to a cache, and thoughts, of all rows of the chunks `from` to `to` (both included), row by row and round by round. */
  tokensOf(jobNo: number, chunks: { readonly from: number; readonly to: number }): Promise<readonly RowTokens[]>
  /** The ledger's sums for a job, for the report and for checks; `Costs.ofJob` says what they are read from. */
  ledger(jobNo: number): Promise<Ledger>
  /** The ledger as it stands, chunk by chunk and in each oldest first, for export. `after`: the last one of the page before. */
  list(jobNo: number, after: AttemptPlace | null, limit: number): Promise<readonly StoredAttempt[]>
}
