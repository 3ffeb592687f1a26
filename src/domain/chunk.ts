import type { Counters } from './job.ts'

export const CHUNK_STATES = ['ready', 'leased', 'parked', 'done', 'failed'] as const
export type ChunkState = (typeof CHUNK_STATES)[number]

/** Names one chunk; small enough for a queue message. */
export interface ChunkRef {
  readonly jobNo: number
  readonly chunkNo: number
}

/** Where a chunk's rows lie in the snapshot: a byte range of whole NDJSON lines in one segment. */
export interface ChunkExtent {
  /** Blob key of the segment. */
  readonly segmentKey: string
  readonly byteOffset: number
  readonly byteLength: number
  /** sha-256 (hex) over exactly those bytes. */
  readonly sha256: string
  readonly firstRow: number
  readonly rows: number
}

/** Rows that follow each other, by the index of the first. */
export type RowPart = Pick<ChunkExtent, 'firstRow' | 'rows'>

/** One chunk as the manifest holds it. */
export interface Chunk extends ChunkRef, ChunkExtent {
  readonly state: ChunkState
  /** Raised by each claim: the fence. Writes under an older epoch are refused. */
  readonly epoch: number
  readonly owner: string | null
  /** How many leases died over it, since it was last made ready by a user. */
  readonly deaths: number
  readonly round: number
  /** Order of completion within the job, from 1; `null` until done. */
  readonly doneNo: number | null
  readonly counters: Counters
}

/** A claim: the chunk and the epoch under which its holder may write. */
export interface ChunkClaim extends ChunkRef {
  readonly epoch: number
}
