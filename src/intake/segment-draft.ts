import type { Blob } from '../blob/blob.ts'
import type { ChunkExtent } from '../domain/chunk.ts'
import type { JobId } from '../domain/job.ts'
import type { UnreadableLine } from '../domain/row.ts'
import { sha256 } from '../runtime.ts'
import type { KeyLog } from './key-log.ts'
import { openSegment, type PiecePool, type SnapshotLine, segmentKey } from './snapshot.ts'

/** A row, or the place of an unreadable line, on its way into the snapshot. */
export interface ManifestRow extends SnapshotLine {
  readonly unreadable: Omit<UnreadableLine, 'index'> | null
  readonly key: string | null
  readonly line: number | null
  readonly file: number
  /** Where reading goes on behind it; made into text only where a segment ends. */
  readonly cursor: RowCursor
}

/** Behind item number `skip` of the batch that begins at the source position `batch`. */
export interface RowCursor {
  readonly batch: string | null
  readonly skip: number
  /** Items of the input before it. */
  readonly ordinal: number
}

/** How far the manifest has come: kept with each segment, enough to go on in another process. */
export interface ManifestState {
  readonly segments: number
  readonly chunks: number
  readonly rows: number
  readonly unreadable: number
  /** `null`: not decided yet. */
  readonly chunkRows: number | null
  /** Hash over the hashes of the segments so far. */
  readonly contentHash: string
}

export const EMPTY_MANIFEST: ManifestState = Object.freeze({
  segments: 0,
  chunks: 0,
  rows: 0,
  unreadable: 0,
  chunkRows: null,
  contentHash: '',
})

/** A finished segment: everything that is to be committed with it. */
export interface FinishedSegment {
  readonly segmentNo: number
  readonly key: string
  readonly bytes: number
  readonly sha256: string
  readonly chunks: readonly (ChunkExtent & { readonly chunkNo: number })[]
  readonly unreadable: readonly (UnreadableLine & { readonly chunkNo: number })[]
  /** Behind its last row. */
  readonly cursor: RowCursor
  readonly state: ManifestState
}

export interface DraftOptions {
  readonly blob: Blob
  readonly job: JobId
  /** `null`: the rows have no keys. */
  readonly keyLog: KeyLog | null
  readonly pieces: PiecePool
}

/** A segment that is being filled, with what will be committed with it. */
export interface SegmentDraft {
  weight(): number
  /** Adds the rows as one chunk. Returns the manifest's state behind it. */
  put(rows: readonly ManifestRow[], weight: number, state: ManifestState): Promise<ManifestState>
  /** Ends it. `durable` resolves when segment and keys are there for good. */
  finish(state: ManifestState): { readonly segment: FinishedSegment; readonly durable: Promise<void> }
  abort(): Promise<void>
}

/** Opens the segment that follows `state`. */
export async function openDraft(
  { blob, job, keyLog, pieces }: DraftOptions,
  from: ManifestState,
): Promise<SegmentDraft> {
  const segmentNo = from.segments
  const writer = await openSegment(blob, segmentKey(job, segmentNo), pieces)
  const chunks: (ChunkExtent & { chunkNo: number })[] = []
  const unreadable: (UnreadableLine & { chunkNo: number })[] = []
  let weight = 0
  let cursor: RowCursor = { batch: null, skip: 0, ordinal: 0 }

  function note(row: ManifestRow, index: number, chunkNo: number): void {
    if (row.unreadable !== null) unreadable.push({ ...row.unreadable, index, chunkNo })
    if (row.key !== null) keyLog?.add(row.key, index - from.rows, row.line ?? 0, row.file)
    cursor = row.cursor
  }

  return Object.freeze({
    weight: () => weight,
    async put(rows: readonly ManifestRow[], added: number, state: ManifestState): Promise<ManifestState> {
      const chunkNo = state.chunks
      for (const [at, row] of rows.entries()) note(row, state.rows + at, chunkNo)
      weight += added
      const extent = await writer.append(rows)
      chunks.push({ segmentKey: writer.key, ...extent, firstRow: state.rows, rows: rows.length, chunkNo })
      return { ...state, chunks: chunkNo + 1, rows: state.rows + rows.length }
    },
    finish(state: ManifestState) {
      const { sha256: hash, durable } = writer.finish()
      const keys = keyLog?.put(segmentNo, from.rows)
      const after: ManifestState = {
        ...state,
        segments: segmentNo + 1,
        unreadable: from.unreadable + unreadable.length,
        contentHash: sha256(from.contentHash + hash),
      }
      const segment: FinishedSegment = {
        segmentNo,
        key: writer.key,
        bytes: writer.bytes(),
        sha256: hash,
        chunks,
        unreadable,
        cursor,
        state: after,
      }
      return { segment, durable: Promise.all([durable, keys]).then(() => undefined) }
    },
    abort: () => writer.abort(),
  })
}
