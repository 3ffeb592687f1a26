import type { Blob } from '../blob/blob.ts'
import type { BatchShard } from '../domain/batch.ts'
import type { Failure } from '../domain/failure.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Events } from '../events.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Batches, ShardChange } from '../store/role/batches.ts'
import type { BatchApis } from './batch-api.ts'
import { LOOK_TIMES, type LookTimes } from './poll-interval.ts'
import type { QueueRooms } from './queue-room.ts'
import type { BatchPolicy, ShardPolicies } from './shard-policy.ts'

/** What a batcher is given. */
export interface BatcherDeps {
  /** Signs the intents: no other process ever has this name. */
  readonly workerId: string
  readonly runtime: Runtime
  readonly events: Events
  readonly store: {
    readonly batches: Batches
    write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  }
  readonly queue: Pick<Queue, 'enqueue'>
  readonly blob: Blob
  readonly apis: BatchApis
  readonly policyOf: (jobNo: number) => Promise<BatchPolicy>
  /** Whether a worker's process is known to be dead. */
  readonly isGone: (workerId: string) => Promise<boolean>
  /** Where it differs from `BATCH_TIMES`. */
  readonly times?: Partial<BatchTimes>
}

/** How long things may take, ms. */
export interface BatchTimes {
  /** Between two looks at what there is to do. */
  readonly turnMs: number
  readonly look: LookTimes
  /** A part waits so long for others to go with it, as long as others may come. */
  readonly lingerMs: number
  /** Since its intent was written, in which a create may begin. */
  readonly beginMs: number
  /** A question to the provider. */
  readonly callMs: number
  /** A create that carries the requests themselves. */
  readonly bodyMs: number
  readonly uploadMs: number
  readonly resultsMs: number
  /** Since the end of a batch, in which the files of its answers may get their names. */
  readonly filesMs: number
  /** Since the end of a batch: results that are not there by then are given up. */
  readonly goneMs: number
  /** After its create was over at the latest, in which a batch appears in the provider's list; with what clocks may differ by. */
  readonly lagMs: number
  /** By which our clock may be ahead of the provider's. */
  readonly skewMs: number
}

/** Times for real providers. */
export const BATCH_TIMES: BatchTimes = Object.freeze({
  turnMs: 1_000,
  look: LOOK_TIMES,
  lingerMs: 300_000,
  beginMs: 20_000,
  callMs: 60_000,
  bodyMs: 300_000,
  uploadMs: 1_800_000,
  resultsMs: 7_200_000,
  filesMs: 3_600_000,
  goneMs: 86_400_000,
  lagMs: 60_000,
  skewMs: 600_000,
})

/** What the steps of a batcher share. */
export interface BatchWork extends Omit<BatcherDeps, 'times'> {
  readonly times: BatchTimes
  readonly rooms: QueueRooms
  readonly policies: ShardPolicies
}

/** What suffices to ask a provider about a shard, and to write down what came of it. */
export type AskingWork = Pick<BatchWork, 'runtime' | 'events' | 'apis' | 'times'> & {
  readonly store: Pick<BatcherDeps['store'], 'batches'>
}

/** Changes a shard against the version that was read, and says so. `null`: somebody was faster, and nothing changed. */
export async function changeShard(
  { store, events }: Pick<AskingWork, 'store' | 'events'>,
  shard: BatchShard,
  change: ShardChange,
): Promise<BatchShard | null> {
  const changed = await store.batches.change(shard, change)
  if (changed !== null && changed.state !== shard.state) events.emit('batch.shard', shardEvent(changed))
  return changed
}

/** Gives a shard's parts back to be chosen anew: the provider took nothing of it. */
export async function giveShardBack(
  { store, events }: BatchWork,
  shard: BatchShard,
  change: Pick<ShardChange, 'note' | 'said'>,
): Promise<void> {
  const returned = await store.batches.giveBack(shard, change)
  if (returned !== null) events.emit('batch.shard', shardEvent(returned))
}

/** Says what went wrong with a shard; the words are for people. */
export function tellTrouble({ events }: Pick<BatchWork, 'events'>, shard: BatchShard, message: string): void {
  events.emit('batch.trouble', { shardId: shard.id, account: shard.kind.account, message })
}

/** What an event says of a shard. */
export function shardEvent({ id, kind, state, requests, batchId, note }: BatchShard) {
  return { shardId: id, account: kind.account, state, requests, batchId, note }
}

/** A failure in one line for people. */
export function failureText({ message, status, providerCode }: Failure): string {
  const marks = [status === null ? null : `HTTP ${status}`, providerCode].filter((mark) => mark !== null)
  return marks.length === 0 ? message : `${message} (${marks.join(', ')})`
}
