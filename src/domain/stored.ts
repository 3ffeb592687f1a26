import type { PastAttempt } from './attempt.ts'
import type { Cause } from './failure.ts'
import type { LaneName, Outcome } from './row.ts'

export interface StoredOutcome extends Outcome {
  readonly chunkNo: number
}

export interface CauseCount {
  readonly cause: Cause
  readonly rows: number
  readonly example: StoredOutcome
}

/** Rows counted by how many tokens they used, largest first; rows of about one size are together. */
export type RowSizes = readonly { readonly rows: number; readonly tokens: number }[]

export interface StoredAttempt extends PastAttempt {
  readonly id: string
  readonly rowIndex: number
  readonly chunkNo: number
  readonly round: number
  readonly status: number | null
  readonly providerCode: string | null
  readonly providerRequestId: string | null
  readonly lane: LaneName
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  readonly reasoningTokens: number
  readonly endedAtMs: number | null
}

/** What the attempts of a row that were booked in a round had of each kind of token that is part of another. */
export interface RowTokens {
  readonly rowIndex: number
  readonly round: number
  /** Of the input: read from a cache of the provider's. */
  readonly cachedTokens: number
  /** Of the input: written to one. */
  readonly cacheWriteTokens: number
  /** Of the output: thoughts. */
  readonly reasoningTokens: number
}
