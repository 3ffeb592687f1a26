import type { BatchKind, BatchPart, BatchSaid, BatchShard, ShardState } from '../../domain/batch.ts'
import type { ChunkRef } from '../../domain/chunk.ts'
import type { Failure } from '../../domain/failure.ts'
import type { StoreTx } from '../../domain/store-tx.ts'

/** A part as a worker packs it. */
export type NewPart = Omit<BatchPart, 'state' | 'shardId' | 'results' | 'failure' | 'kindKey'> & {
  readonly tenantNo: number
  readonly kind: BatchKind
}

/** Parts of one kind that wait for a shard. */
export interface WaitingKind {
  readonly tenantNo: number
  readonly kind: BatchKind
  readonly parts: number
  readonly requests: number
  readonly bytes: number
  readonly inputTokens: number
  readonly oldestPackedMs: number
  /** Whether any job that has parts waiting here may still pack more of them: it has chunks that are ready or leased. */
  readonly moreToCome: boolean
}

/** What of a shard changes; what is absent stays. */
export type ShardChange = Partial<
  Pick<
    BatchShard,
    | 'state'
    | 'fileId'
    | 'batchId'
    | 'guessed'
    | 'notBatchIds'
    | 'said'
    | 'intentAtMs'
    | 'submitter'
    | 'submittedAtMs'
    | 'heardAtMs'
    | 'nextLookMs'
    | 'endedAtMs'
    | 'note'
  >
>

/** Where a part's results lie, or why it has none. */
export type PartEnd =
  | { readonly partId: string; readonly results: NonNullable<BatchPart['results']> }
  | { readonly partId: string; readonly failure: Failure }

/** What is out in batches. Every change of a shard is made against the version that was read: `null` says that somebody was faster, and nothing changed. */
export interface Batches {
  /** Writes packed parts down. Part of the transaction that parks their chunk. */
  pack(tx: StoreTx, parts: readonly NewPart[]): Promise<void>
  /** The chunk's parts that are not closed. */
  ofChunk(ref: ChunkRef): Promise<readonly BatchPart[]>
  /**
   * Closes parts that are `answered` or `void` and whose rows are all booked or asked anew: what is left of what the budget held for them is free.
   * Part of the transaction that completes or parks the chunk, and before that. Harmless to repeat; throws SluiceError `internal` for one that is
   * still `packed` or `placed`.
   */
  close(tx: StoreTx, partIds: readonly string[]): Promise<void>
  /** Chunks of a job that nobody holds and that have results to be booked: parts `answered` or `void`, and none `packed` or `placed`. */
  toSettle(jobNo: number, limit: number): Promise<readonly ChunkRef[]>

  /** What waits for a shard, of jobs that are queued or running, and of which nothing else is wanted. */
  waiting(): Promise<readonly WaitingKind[]>
  /** Parts of a kind that wait, oldest first, of the same jobs; at most `limit`. */
  packed(tenantNo: number, kindKey: string, limit: number): Promise<readonly BatchPart[]>
  /** Chooses parts for a shard: they become `placed`. `null`: one of them is not `packed` any more, and nothing was done. */
  plan(shard: BatchShard, partIds: readonly string[]): Promise<BatchShard | null>
  /** Shards in these states, those to be looked at first come first; at most `limit`. */
  shards(
    filter: { readonly states: readonly ShardState[]; readonly jobNo?: number },
    limit: number,
  ): Promise<readonly BatchShard[]>
  shard(id: string): Promise<BatchShard | null>
  /** Which of these batches some shard names as its own, whatever became of it. */
  known(batchIds: readonly string[]): Promise<ReadonlySet<string>>
  /** The parts of a shard, in the order of sending. */
  partsOf(shardId: string): Promise<readonly BatchPart[]>
  change(shard: BatchShard, change: ShardChange): Promise<BatchShard | null>
  /**
   * Ends all parts of a shard, each by one of `ends`, and makes it `collected`. Returns the chunks that have no part `packed` or `placed` any more
   * and that nobody holds, of jobs that are not over: the caller enqueues them in the same `tx`. `null`: the version has passed, roll back.
   */
  collect(tx: StoreTx, shard: BatchShard, ends: readonly PartEnd[]): Promise<readonly ChunkRef[] | null>
  /** The provider took nothing of it: its parts are `packed` again. */
  giveBack(shard: BatchShard, change: Pick<ShardChange, 'note' | 'said'>): Promise<BatchShard | null>
  /**
   * Gives the shards back that were only planned and hold parts of a job that is not to go on (parts of other jobs are packed again), and ends all
   * of its `packed` parts as `void`; returns the chunks that are free by that, as `collect` does. Part of `tx`, and before anything else there.
   */
  withdraw(tx: StoreTx, jobNo: number, failure: Failure): Promise<readonly ChunkRef[]>
  /** Notes that a job's shards are to be cancelled at their provider; those that hold parts of other jobs as well are left. They are to be looked at from `atMs`. Returns how many. */
  wantCancel(jobNo: number, atMs: number): Promise<number>
  /**
   * Takes so many requests of a job back that wait for a shard, those that were packed last, in whole parts: they end as `void`. Returns the chunks
   * that are free by that, as `collect` does. Part of `tx`, and before anything else there.
   */
  unpack(tx: StoreTx, jobNo: number, requests: number, failure: Failure): Promise<readonly ChunkRef[]>
  /** Notes that these shards are to be cancelled at their provider, where they have been sent; they are to be looked at from `atMs`. Harmless to repeat. */
  callBack(shardIds: readonly string[], atMs: number): Promise<void>
  /** What is out of a job. */
  outstanding(jobNo: number): Promise<BatchFigures>
  /**
   * Shards whose results nobody needs any more: they are over, and every job that has parts in them was completed without a row that failed or was
   * cancelled. One that the store does not know is not among them.
   */
  spent(which: SpentFilter): Promise<readonly string[]>
  /** How long shards of an account took from submission to their end, newest first. */
  turnarounds(account: string, limit: number): Promise<readonly { readonly requests: number; readonly ms: number }[]>
}

/** Shards that hold, or held, parts of a job; or these. */
export type SpentFilter = { readonly jobNo: number } | { readonly shardIds: readonly string[] }

/** What of a job is in batches, in requests. */
export interface BatchFigures {
  readonly packed: number
  readonly placed: number
  readonly answered: number
  /** Those that came back with results, and are booked. */
  readonly booked: number
  /** Not yet collected, with what the provider last said of each. */
  readonly shards: readonly (Pick<
    BatchShard,
    'id' | 'state' | 'requests' | 'batchId' | 'submittedAtMs' | 'heardAtMs' | 'cancelWantedMs' | 'note'
  > & { readonly said: BatchSaid | null })[]
}
