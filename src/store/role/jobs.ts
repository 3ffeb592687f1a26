import type {
  Counters,
  Job,
  JobId,
  JobSettings,
  JobState,
  Priority,
  StateReason,
  Trigger,
  Wanted,
} from '../../domain/job.ts'
import type { Route } from '../../domain/route.ts'
import type { StoreTx } from '../../domain/store-tx.ts'
import type { TenantCaps } from '../../domain/tenant.ts'

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

export interface StateChange {
  readonly to: JobState
  readonly reason?: StateReason | null
  readonly detail?: string | null
  /** Only while this is wanted of the job. */
  readonly fulfils?: Wanted
  /** Only when none of its chunks is open. */
  readonly closed?: boolean
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
  /** Replaces what a job in `created` that was not begun keeps of its submission. `false`: it was begun, or is not `created`; nothing was changed. */
  resubmit(jobNo: number, submission: string): Promise<boolean>
  /**
   * Says of a job in `created` that its input is there and is to be read by whoever comes by, with the spec version that it is to run and what intake
   * needs. Part of `tx`, with the message that asks for it. `false`: it was begun before, or is not `created`; nothing was changed.
   */
  begin(tx: StoreTx, jobNo: number, begin: JobBegin): Promise<boolean>
  /**
   * Guarded change of state: happens only when the job stands in one of `from` (and domain/job.ts allows the change), and then records
   * a `job.state` event. Never out of a terminal state. A `pause` wish ends when the job pauses or finalizes, a `cancel` only when it is over.
   * Keeps `activeMs`/`activeSinceMs` true. `false`: it stood elsewhere.
   */
  change(tx: StoreTx, jobNo: number, from: readonly JobState[], change: StateChange): Promise<boolean>
  /**
   * Keeps the job to `tx` until that ends: with `exclusive` nobody claims its chunks meanwhile, takes them back or locks it, with `shared` nobody
   * takes them back or locks it exclusively. Before anything else in `tx`; what is read afterwards is how the others have left it.
   */
  lock(tx: StoreTx, jobNo: number, mode: 'shared' | 'exclusive'): Promise<void>
  /**
   * Gives a job that is to be worked on its turn, where its tenant runs fewer jobs than it may. Else it waits, without messages; of those that wait the more
   * urgent go first, and of these the older. One that is `running` keeps its turn. Part of `tx`.
   */
  admit(tx: StoreTx, jobNo: number, priority: Priority): Promise<boolean>
  /** Jobs that wait and would be admitted now, of one tenant or (`null`) of all: of each the most urgent first, then the oldest. */
  inTurn(tenantNo: number | null): Promise<readonly Job[]>
  /** Records a wish; `null` withdraws it. A `cancel` is never replaced by a `pause`. */
  want(jobNo: number, wanted: Wanted | null, reason?: StateReason | null, detail?: string | null): Promise<void>
  /** State, wish, settings, route and tenant's caps of the given jobs, for heartbeats. */
  controls(jobNos: readonly number[]): Promise<readonly JobControl[]>
  set(jobNo: number, settings: Partial<JobSettings>, atMs: number): Promise<void>
  /** Changes a job's route where it still is `before`, or has none yet where that is `null`. Records a `job.route` event. `false`: somebody was faster, or the job is over. */
  setRoute(jobNo: number, before: Route | null, route: Route, atMs: number): Promise<boolean>
  /** Jobs at work that have a route; those with the smallest numbers. */
  routed(limit: number): Promise<readonly Job[]>
  /** Opens the next round on a terminal job, without a route: state `queued`, `specHash` the round's. `false`: it is not over, or stands in another round. */
  openRound(tx: StoreTx, jobNo: number, round: NewRound): Promise<boolean>
  round(jobNo: number, round: number): Promise<Round | null>
  /** Totals of the job with those of its open chunks: exact at the time of the read, at a cost that does not grow with the rows. */
  progress(jobNo: number): Promise<JobProgress>
  /** The same of several jobs, some hundreds at the most, all of one moment, in the given order; those that are not there are left out. */
  progressOf(jobNos: readonly number[]): Promise<readonly JobProgress[]>
}

export interface JobControl {
  readonly jobNo: number
  readonly state: JobState
  readonly wanted: Wanted | null
  readonly wantedReason: StateReason | null
  readonly settings: JobSettings
  /** What its tenant may use. */
  readonly caps: TenantCaps
  readonly route?: Route
}

export interface JobBegin {
  readonly specName: string
  readonly specHash: string
  readonly submission: string
  readonly atMs: number
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
