import type { ChunkRef } from '../domain/chunk.ts'
import type { Priority } from '../domain/job.ts'
import type { StoreTx } from '../domain/store-tx.ts'

/** What a message asks a worker to do: read a job's input, work on a chunk, or finalize a job's round. */
export type Task =
  | { readonly kind: 'intake'; readonly jobNo: number }
  | ({ readonly kind: 'chunk' } & ChunkRef)
  | { readonly kind: 'finalize'; readonly jobNo: number; readonly round: number }

/** All messages: what wait to be fetched, what wait for their time, what are held. The signals by which a fleet grows and shrinks. */
export interface QueueTotal {
  readonly ready: number
  readonly delayed: number
  readonly leased: number
  /** How long the oldest ready message has waited, ms; `null`: none is ready. */
  readonly oldestReadyMs: number | null
}

/** A worker that holds messages. */
export interface Holder {
  readonly worker: string
  readonly messages: number
  /** Since when it has held the oldest of them; UTC ms. */
  readonly sinceMs: number
}

/** One delivery of a message to one worker. Only the latest delivery of a message may extend, complete or release it. */
export interface Delivery {
  readonly messageId: string
  readonly task: Task
  readonly tenantNo: number
  /** Identifies this delivery: an older one of the same message has no power. */
  readonly receipt: string
  /** From 1: how often the message was delivered since it was enqueued or released on purpose. */
  readonly deliveries: number
  /** What its tenant was charged for it in the line of tenants (`tenant-turns.ts`). */
  readonly charged: number
}

export interface NewMessage {
  readonly task: Task
  readonly tenantNo: number
  readonly priority: Priority
  /** Not delivered before; ms from now. */
  readonly delayMs?: number
}

/** Of which jobs and tenants messages are asked for. */
export interface JobFilter {
  /** Only this one's. */
  readonly jobNo?: number
  /** None of these. */
  readonly except?: readonly number[]
  /** None of these tenants'. */
  readonly exceptTenants?: readonly number[]
  /** These tenants' only after all others': whoever asks has something of them left. */
  readonly lastTenants?: readonly number[]
  /** At most one of each tenant, and at most one end of a round in all: whoever asks so is busy, and each end writes whole files. */
  readonly oneEach?: boolean
}

/**
 * Delivers references to work at least once; the chunk's epoch decides who may write. The manifest is the truth: every message can be
 * made again from it. Whatever changes together with the store takes the store's transaction.
 */
export interface Queue {
  /** Adds messages; a message for the same task that is already there stays as it is. Part of `tx`. */
  enqueue(tx: StoreTx, messages: readonly NewMessage[]): Promise<void>
  /**
   * Leases up to `limit` due messages to `worker`: ends of rounds first, which take nothing of what is shared; then by turns between the tenants
   * (`tenant-turns.ts`), a tenant's by priority, and by turns between its jobs (`turn.ts`), each job's in the order they came. No tenant gets more than
   * `tenants.max_chunks` in all. What a message takes is only known when it is completed: until then it counts as what the tenant's last ones took.
   */
  fetch(worker: string, limit: number, filter?: JobFilter): Promise<readonly Delivery[]>
  /** Renews the leases; returns the deliveries that are still held. One that is missing there was lost to another worker. */
  extend(deliveries: readonly Delivery[]): Promise<readonly Delivery[]>
  /**
   * Removes the message. `tokens`: what its requests have taken; where that is not said, what its tenant was charged stands. `false`: the lease was lost;
   * whoever has the message now finds its chunk done. Part of `tx`.
   */
  complete(tx: StoreTx, delivery: Delivery, tokens?: number): Promise<boolean>
  /**
   * Gives the message back, to be delivered after `delayMs`; its deliveries start anew. It keeps its place in line, but for a delay: then it goes
   * behind its job's others. Its tenant is charged `tokens`, by default none, and no more. `false`: the lease was lost. Part of `tx`.
   */
  release(tx: StoreTx, delivery: Delivery, delayMs: number, tokens?: number): Promise<boolean>
  /**
   * Removes all messages of a job, leased or not. Returns how many of them were leased: a fetch may have come after whoever looked at `depth`, and
   * then its worker loses what it has just begun, unless the caller rolls `tx` back.
   */
  purge(tx: StoreTx, jobNo: number): Promise<number>
  /** Frees the leases of workers that `isGone` says are dead, and those that ran out. Returns how many. */
  reclaim(isGone: (worker: string) => Promise<boolean>): Promise<number>
  /** Messages of a job that wait, are delayed, or are leased. */
  depth(jobNo: number): Promise<{
    readonly ready: number
    readonly delayed: number
    readonly leased: number
    readonly nextDueMs: number | null
  }>
  /** The same over all jobs. */
  total(): Promise<QueueTotal>
  /** Who holds messages. */
  holders(): Promise<readonly Holder[]>
  /**
   * Takes messages out that were delivered again and again, and each time to a worker that died without completing or releasing them: their tasks,
   * at most `limit`. No such message is delivered any more. Part of `tx`.
   */
  takeDead(tx: StoreTx, limit: number): Promise<readonly Task[]>
}
