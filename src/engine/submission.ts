import type { NanoUsd } from '../domain/money.ts'
import type { PlanBinding } from '../domain/plan.ts'
import type { RowPick } from '../engine.ts'
import type { EngineDeps } from './engine-deps.ts'

/** What a job keeps of its submission, for an intake that has to go on in another process. */
export interface Submission {
  readonly baseDir: string
  readonly specPath: string
  readonly selection: RowPick | null
  /** What the plan by which it is run expects it to cost; absent: it is run by none, or that knows no price. */
  readonly plannedNano?: NanoUsd
  /** The plan by which it is run, of those that were made of the job before its start; absent: none of these. */
  readonly planId?: string
  /** The latest plan that was made of the job before its start; absent: none, or it has begun. */
  readonly plan?: KeptPlan
  /** The uploaded file that is its input; absent: what the spec names is. */
  readonly fileId?: string
  /** Columns that its input must have; absent: whatever the spec asks for. */
  readonly columnsHint?: readonly string[]
  /** Bytes that its input may come to, unpacked and as rows; absent: any number. */
  readonly unpackedBytes?: number
}

/** What a job keeps of a plan until it starts: by which spec and prices it was made, and what it expects. */
export interface KeptPlan extends Pick<PlanBinding, 'specHash' | 'priceHash'> {
  readonly id: string
  /** `null`: it knows no price. */
  readonly expectedNano: NanoUsd | null
}

/** What a job keeps of its submission. */
export async function submissionOf(
  { store }: { readonly store: Pick<EngineDeps['store'], 'jobs'> },
  { jobNo }: { readonly jobNo: number },
): Promise<Submission> {
  return JSON.parse(await store.jobs.submission(jobNo)) as Submission
}
