import type { JobId } from '../../domain/job.ts'
import type { LedgerPart } from '../../domain/ledger.ts'
import type { Price } from '../../domain/money.ts'

/** A part of the ledger of one of a tenant's jobs, and what that ran with. */
export interface JobCost {
  readonly jobId: JobId
  readonly specName: string
  /** Of the part's round. */
  readonly specHash: string
  readonly part: LedgerPart
}

export interface Costs {
  /** The number by which attempts name this price: the same for the same price, for ever. */
  priceNo(price: Price): Promise<number>
  /**
   * The ledger of a job in parts. Of a job that is over they are kept, and thrown away when an attempt of it is booked late; else they are summed
   * over its attempts, which are then read at slightly different times while the job runs.
   */
  ofJob(jobNo: number): Promise<readonly LedgerPart[]>
  /** The ledgers of all jobs of a tenant in parts, oldest job first: of attempts that began on `fromDay` (from 1970, UTC) or later. */
  ofTenant(tenantNo: number, fromDay: number | null): AsyncIterable<JobCost>
}
