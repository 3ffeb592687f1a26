import type { KnownAttempt } from '../domain/attempt.ts'
import type { BatchPart } from '../domain/batch.ts'
import type { Chunk, ChunkClaim } from '../domain/chunk.ts'
import type { Row } from '../domain/row.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { Delivery } from '../queue/queue.ts'
import type { Sendable } from '../row/row.ts'
import type { Store } from '../store/store.ts'
import type { JobRun } from './job-run.ts'

/** A chunk that this worker holds. */
export interface HeldChunk {
  readonly run: JobRun
  readonly chunk: Chunk
  readonly claim: ChunkClaim
  readonly delivery: Delivery
  /** Parts of it that have come back by batch, and are not closed. */
  parts: readonly BatchPart[]
  /** Rows without an outcome handed to the recorder. */
  open: number
  /** Rows with a request on its way, or its booking. */
  inFlight: number
  /** What live requests of it have taken here, in tokens: what its tenant has had of what is shared. */
  tokens: number
  /** Its epoch has passed, or its lease was lost: nothing of it is sent or written any more. */
  stale: boolean
  /** The commit that closes it, or gives it back, has returned. */
  closed: boolean
}

/** Whether rows of the chunk may still be sent and written by this worker. */
export function staysHere({ run, stale, closed }: HeldChunk): boolean {
  return !stale && !closed && run.stop === null
}

/** Closes the parts of the chunk that have come back: all their rows are booked, or asked anew. Part of `tx`. */
export async function closeParts({ batches }: Pick<Store, 'batches'>, tx: StoreTx, { parts }: HeldChunk) {
  if (parts.length > 0)
    await batches.close(
      tx,
      parts.map((part) => part.id),
    )
}

/** One row on its way through this worker. */
export interface RowTask {
  readonly held: HeldChunk
  readonly row: Row
  /** Grows with each attempt; all that `prepare` and `settle` need. */
  past: readonly KnownAttempt[]
  /** The request that waits for its slot. */
  next: Sendable
  /** Hash of the row's first request: the key for reuse. */
  readonly requestHash: string
  /** Given to a fallback at least once. */
  fallback: boolean
  /** When its first request was sent. */
  firstSentMs: number | null
}
