import type { NewNotice, Notice, NoticeState } from '../../domain/notice.ts'
import type { StoreTx } from '../../domain/store-tx.ts'

/** What came of an attempt. `address`: the sha-256 of where it went, and whether nothing is to be sent there any more; `null`: it went nowhere. */
export type NoticeVerdict = {
  readonly note: string | null
  readonly atMs: number
  readonly address: { readonly hash: string; readonly gone: boolean } | null
} & (
  | { readonly state: Exclude<NoticeState, 'due'> }
  /** When it is tried next. */
  | { readonly state: 'due'; readonly nextAtMs: number }
)

/** `tenantNo`: whose; `states`: only those. */
export interface NoticeQuery {
  readonly tenantNo: number
  readonly limit: number
  readonly states?: readonly NoticeState[]
}

/** How much of a claim one target, and one tenant, get at the most, and who gets nothing now. */
export interface Turns {
  readonly perTarget: number
  readonly perTenant: number
  readonly busyTargets: readonly Pick<Notice, 'tenantNo' | 'target'>[]
  readonly busyTenants: readonly number[]
}

/** What jobs have to tell. It is written together with the change that it tells of, and sent by whoever claims it, until it has arrived. */
export interface Outbox {
  /**
   * Adds what the change that `tx` has just made to the job has to tell; due at once. What is there already of this change, for the same target,
   * stays as it is. Of a job that has not changed in `tx` it is nobody's duty to call this.
   */
  put(
    tx: StoreTx,
    job: { readonly jobNo: number; readonly tenantNo: number },
    notices: readonly NewNotice[],
    atMs: number,
  ): Promise<void>
  /**
   * Adds a notice that tells of no change of a job, due at once. One whose id is there already stays as it is. `jobNo`: with which job it is thrown
   * away; `null`: with none.
   */
  putAlone(
    whose: { readonly tenantNo: number; readonly jobNo: number | null },
    notice: NewNotice,
    atMs: number,
  ): Promise<void>
  /**
   * Takes notices of all tenants that are due at `nowMs`, longest due first, and counts an attempt for each. Until `untilMs` nobody else gets them;
   * whoever dies before `settle` has made an attempt that failed. `turns`: so that no address and no tenant keeps others from theirs; tenants take turns. With
   * them a claim costs no more where thousands wait for one target.
   */
  claim(nowMs: number, untilMs: number, limit: number, turns?: Turns): Promise<readonly Notice[]>
  /** Writes down what came of the attempt that `claim` gave out. `false`: it was sent anew by hand, or taken by somebody else, in between. */
  settle(notice: Notice, verdict: NoticeVerdict): Promise<boolean>
  /** Since when nothing is sent to the address, which has taken nothing since; `null`: it is in use. */
  goneAt(tenantNo: number, addressHash: string): Promise<number | null>
  /** How many other notices to the target of this one were given up since one arrived there for the last time. */
  givenUpBeside(notice: Notice): Promise<number>
  /** Newest first. */
  list(query: NoticeQuery): Promise<readonly Notice[]>
  get(tenantNo: number, id: string): Promise<Notice | null>
  /**
   * Makes a notice due at once, with all its attempts before it, whatever had become of it. With `untilMs` it is the caller's from the start, as by `claim`.
   * `false`: there is none.
   */
  replay(tenantNo: number, id: string, atMs: number, untilMs?: number): Promise<boolean>
}
