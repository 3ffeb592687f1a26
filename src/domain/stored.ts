import type { PastAttempt } from './attempt.ts'
import type { Cause } from './failure.ts'
import type { Outcome } from './row.ts'

export interface StoredOutcome extends Outcome {
  readonly chunkNo: number
}

export interface CauseCount {
  readonly cause: Cause
  readonly rows: number
  readonly example: StoredOutcome
}

export interface StoredAttempt extends PastAttempt {
  readonly id: string
  readonly rowIndex: number
  readonly chunkNo: number
  readonly round: number
  readonly status: number | null
  readonly providerCode: string | null
  readonly providerRequestId: string | null
  readonly cachedTokens: number
  readonly endedAtMs: number | null
}

export interface Ledger {
  readonly attempts: number
  readonly booked: number
  readonly lost: number
  readonly orphaned: number
  readonly open: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly costNano: number
  readonly unpriced: number
  /** Cost of attempts that brought no accepted answer; lost and orphaned ones are among them. */
  readonly failedCostNano: number
  /** Cost of `lost` attempts, at their worst case. */
  readonly lostCostNano: number
  readonly orphanedCostNano: number
  readonly byCause: readonly { readonly cause: Cause; readonly attempts: number }[]
  readonly byModel: readonly { readonly model: string; readonly attempts: number; readonly costNano: number }[]
}
