import type { Chunk, ChunkClaim, ChunkExtent, ChunkRef } from '../../domain/chunk.ts'
import type { InputDescription, Job, Priority } from '../../domain/job.ts'
import type { UnreadableLine } from '../../domain/row.ts'
import type { StoreTx } from '../../domain/store-tx.ts'

/** What intake has committed so far. */
export interface IntakeProgress {
  readonly segments: number
  readonly rows: number
  readonly unreadable: number
  /** Opaque to the store: where in the source to go on. JSON. `null`: at the start. */
  readonly position: string | null
  readonly done: boolean
}

export interface NewSegment {
  readonly jobNo: number
  readonly segmentNo: number
  readonly key: string
  readonly bytes: number
  readonly sha256: string
  /** Chunks in it, numbered on from the last. */
  readonly chunks: readonly (ChunkExtent & { readonly chunkNo: number })[]
  readonly unreadable: readonly (UnreadableLine & { readonly chunkNo: number })[]
  /** Where in the source the next segment begins. */
  readonly position: string
}

export interface Chunks {
  /**
   * The manifest, written by intake: one segment's chunks, its unreadable lines as outcomes, and the position, in one transaction. Rejects with
   * SluiceError `job_state` when the job takes no more input, or another process has committed this segment.
   */
  appendSegment(segment: NewSegment): Promise<void>
  intakeProgress(jobNo: number): Promise<IntakeProgress>
  /** Closes the manifest: input hash and description are recorded; job totals are final. */
  closeManifest(tx: StoreTx, jobNo: number, input: InputDescription, inputHash: string): Promise<void>
  get(ref: ChunkRef): Promise<Chunk | null>
  /** In chunk order, from `fromChunk` (inclusive), at most `limit`. */
  list(jobNo: number, fromChunk: number, limit: number): Promise<readonly Chunk[]>
  /** Chunks that are done, in the order in which they were, after `afterDoneNo`, at most `limit`: for whoever follows the results. */
  listDone(jobNo: number, afterDoneNo: number, limit: number): Promise<readonly Chunk[]>
  /**
   * All chunks of the job that are `ready` or `parked` and of which nothing is out in a batch, in order: what a queue is made from. With `tx`, as
   * that has left them. Those that are out get their message when their last part is over.
   */
  open(jobNo: number, tx?: StoreTx): Promise<readonly ChunkRef[]>
  /**
   * The next of these chunks that have not come into the queue yet, in order, at most `limit`: the job's cursor moves behind them. The caller
   * enqueues them in the same `tx`.
   */
  nextReady(tx: StoreTx, jobNo: number, limit: number): Promise<NextChunks>
  /** Sets the job's cursor to its first chunk: whoever takes messages of the job out of the queue does this, and fills it anew. Part of `tx`. */
  rewind(tx: StoreTx, jobNo: number): Promise<void>
  /**
   * Claims the chunk for `owner`: raises its epoch, sets `leased`, and turns the `open` attempts of earlier epochs into `lost`, whose worst case
   * goes into the chunk's counters. `died`: an earlier lease ended without a word, which counts towards `deaths` until a row of the chunk ends. `null`: done, failed, or its
   * job is not queued or running, or something is `wanted` of it. The job becomes `running` with its first claim.
   * To `settle` a chunk is to be had whatever its job's state and whatever is wanted of it, where parts of batches are `answered` or `void` and
   * none is out: their results are to be booked, and nothing new is to be asked. What is out in batches is never `lost`.
   */
  claim(ref: ChunkRef, owner: string, died: boolean, atMs: number, to?: 'work' | 'settle'): Promise<ClaimedChunk | null>
  /**
   * Gives a claimed chunk back: `ready`, or `parked` where something has to happen before it can go on. `false`: the epoch had passed. A parked
   * chunk's open attempts become `lost`: its holder does not wait for any.
   */
  release(tx: StoreTx, claim: ChunkClaim, to: 'ready' | 'parked'): Promise<boolean>
  /**
   * Closes a claimed chunk whose rows all have outcomes: `done`, its `done_no`, its counters into the job, `open_chunks` lowered; the last one
   * moves the job to `finalizing`. `'stale'`: the epoch had passed, roll back. Throws SluiceError `internal` where a row has no outcome, or a part
   * of a batch is not closed.
   */
  complete(tx: StoreTx, claim: ChunkClaim, atMs: number): Promise<ChunkEnd>
  /**
   * Ends a chunk that keeps killing its workers: its rows without outcome become dead letters (`chunk_failed`), and its parts of batches are closed.
   * What the budget held for those that are `placed` or `answered` becomes doubtful: it may be billed, and nobody will book it.
   */
  fail(tx: StoreTx, claim: ChunkClaim, message: string, pending: readonly PendingRow[], atMs: number): Promise<ChunkEnd>
  /**
   * Gives every row without outcome in a terminal-bound job the outcome `cancelled`, chunk by chunk; closes the chunks. Only when none is leased,
   * and none of the chunk's parts of batches is `placed` or `answered`: else `false`, and nothing was changed. Parts that are `packed` or `void`
   * are closed with it.
   */
  cancelOpen(tx: StoreTx, ref: ChunkRef, pending: readonly PendingRow[], atMs: number): Promise<boolean>
  /**
   * Makes every `leased` chunk of the job `ready`: only when nobody holds a message of it. Their old holders are fenced off by that, and their
   * open attempts become `lost`. Part of `tx`.
   */
  takeBack(tx: StoreTx, jobNo: number): Promise<void>
  /** Forgives the deaths of the job's open chunks: a person has looked, and wants it to go on. Part of `tx`. */
  forgiveDeaths(tx: StoreTx, jobNo: number): Promise<void>
}

/** Chunks that are to come into the queue, and the priority that was set for their job meanwhile; `null`: its spec's. */
export interface NextChunks {
  readonly refs: readonly ChunkRef[]
  readonly priority: Priority | null
}

/** What became of a chunk that was to end: its epoch had passed, it ended, or it was the last of its job. */
export type ChunkEnd = 'stale' | 'completed' | 'last'

/** A row without an outcome. */
export interface PendingRow {
  readonly index: number
  readonly id: string
}

export interface ClaimedChunk {
  readonly chunk: Chunk
  readonly job: Job
  /** Attempts that the claim booked as `lost`. */
  readonly lost: number
}
