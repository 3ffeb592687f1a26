import type { AttemptFact } from '../../domain/attempt.ts'
import type { Amount, BudgetLimits } from '../../domain/budget.ts'
import type { BudgetSeen } from '../../domain/budget-view.ts'
import type { ChunkRef } from '../../domain/chunk.ts'
import type { NanoUsd } from '../../domain/money.ts'
import type { StoreTx } from '../../domain/store-tx.ts'

/** What a worker asks of a job's budget. */
export interface DrawRequest {
  readonly jobNo: number
  readonly workerId: string
  /** The limits of the job's spec; what was set since goes before them. */
  readonly specLimits: BudgetLimits
  /** Without so much there is nothing that it could send. */
  readonly least: Amount
  /** What it would like to have, `least` at the least. */
  readonly wish: Amount
  /** What of its grant it gives back where it is refused: nothing of its own is under way. */
  readonly rest: Amount
}

/** Which limit a draw met. */
export type BudgetLimit = 'usd' | 'tokens' | 'day' | 'month'

export interface Draw {
  /** From `least` to `wish`; nothing where it was refused. */
  readonly granted: Amount
  /** The worker had no grant before: what it was granted earlier has been taken back. */
  readonly isFirst: boolean
  /** `null`: it was granted. */
  readonly refusedBy: BudgetLimit | null
  /** Whose grants could come back and change a refusal: other workers', also on the tenant's other jobs where its day or month is the limit. */
  readonly others: readonly GrantOwner[]
  /** Something is held for parts of batches that could come back and change a refusal, when they end. */
  readonly heldByParts: boolean
  /** The limits as they are now, and what has been spent, lost and doubtful requests included. */
  readonly limits: BudgetLimits
  readonly spent: Amount
  readonly dayNano: NanoUsd | null
  readonly monthNano: NanoUsd | null
}

export interface GrantOwner {
  readonly jobNo: number
  readonly workerId: string
}

/** What a group of bookings takes out of a worker's grant for a job. */
export interface GrantCharge {
  readonly jobNo: number
  readonly used: Amount
  readonly doubtful: Amount
}

/** What is set aside for a part of a batch: the most that it can cost. */
export interface PartHold {
  readonly partId: string
  readonly worst: Amount
}

/** Ended attempts that are the results of one part, of one chunk. */
export interface PartFacts extends ChunkRef {
  readonly partId: string
  readonly facts: readonly AttemptFact[]
}

/** Where a job stands with its budget. */
export interface Outlook extends BudgetSeen {
  readonly set: BudgetLimits
  /** For which low end of the projection the job was paused before, under this budget. */
  readonly stoppedAt: Amount | null
}

/**
 * Budgets, kept by grants: a worker draws from its job's budget before it sends, and what it sends it takes from its grant. What it packs for a
 * batch it moves out of its grant into the holding of the part, which outlives every worker: only results that are booked, and the part's end,
 * take from it. At any time what the ledger holds of a job (lost attempts at their worst case), what is doubtful, and what is left of all grants
 * and holdings are together within the limits, unless these were cut; and they are not less than all that may still be billed, as long as no
 * worker sends or packs what its grant has no room for.
 */
export interface Budgets {
  /** Adds to the worker's grant what the limits allow, in shares where others draw too; or nothing, where that is less than `least`. */
  draw(request: DrawRequest): Promise<Draw>
  /**
   * Takes what was booked out of the worker's grants, in the transaction that books it and before anything else there. Returns the jobs of which
   * it has no grant (any more): requests on the strength of it must not be sent. What is doubtful then stays with the job.
   */
  book(tx: StoreTx, workerId: string, charges: readonly GrantCharge[]): Promise<ReadonlySet<number>>
  /**
   * Moves the worst case of parts out of the worker's grant into holdings of their own, in the transaction that packs them and before anything
   * else there. `workerId` is `null` where the job has no limits, so that nothing was drawn: should it get some, the holdings count. `false`: the
   * worker has no grant (any more), and nothing was moved: roll back, the parts must not be packed.
   */
  hold(tx: StoreTx, jobNo: number, workerId: string | null, holds: readonly PartHold[]): Promise<boolean>
  /**
   * Takes what results of parts have used, or may have, out of their holdings, in the transaction that books them and before `rows.record`. An
   * attempt that is in the ledger already takes nothing; none takes more than its worst case. What is doubtful stays with the job. What is left
   * of a holding is free when its part is closed (`Batches.close`).
   */
  bookParts(tx: StoreTx, ended: readonly PartFacts[]): Promise<void>
  /** Gives a part of a grant back that nothing under way needs. */
  giveBack(jobNo: number, workerId: string, rest: Amount): Promise<void>
  /**
   * Ends the grant of a worker that sends nothing of the job any more: it is dead, or done. What it left open in the ledger is booked as lost, at its
   * worst case, and what is doubtful stays with the job. What it has packed is no longer its own, and stays held. Harmless to repeat.
   */
  retire(jobNo: number, workerId: string): Promise<void>
  /** Ends all grants of a job whose chunks have all ended. What is still held for parts may have been billed, and becomes doubtful. */
  clear(tx: StoreTx, jobNo: number): Promise<void>
  outlook(jobNo: number): Promise<Outlook>
  /** Notes for which low end of its projection a job is being paused. */
  noteStop(jobNo: number, low: Amount): Promise<void>
  /** Sets what all jobs of a tenant may cost in a UTC day, counted from what is drawn from now on; `null`: no end. */
  setDay(tenantNo: number, nano: NanoUsd | null): Promise<void>
}
