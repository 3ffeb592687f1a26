import type { Blob } from '../blob/blob.ts'
import type { ChunkExtent } from '../domain/chunk.ts'
import type { JobId } from '../domain/job.ts'
import type { UnreadableLine } from '../domain/row.ts'
import { sha256 } from '../runtime.ts'
import type { KeyLog } from './key-log.ts'
import { openSegment, SEGMENT_BYTES, segmentKey, type SegmentWriter } from './snapshot.ts'

/** Rows of a chunk in a job that is not small. */
const CHUNK_ROWS = 200
/** Jobs below this many rows are cut into about twenty chunks of at least `MIN_CHUNK_ROWS`. */
const SMALL_JOB_ROWS = 4000
const MIN_CHUNK_ROWS = 10
/** What an unreadable line counts beside its bytes towards the size of a segment: its message and excerpt go into the same commit. */
const UNREADABLE_WEIGHT = 1024

/** A row, or the place of an unreadable line, on its way into the snapshot. */
export interface ManifestRow {
  /** Its line in the segment, without line end. */
  readonly text: string
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

export interface ManifestOptions {
  readonly blob: Blob
  readonly job: JobId
  readonly keyLog: KeyLog | null
  readonly from: ManifestState
  /** Called in order, one at a time, when segment and keys are durable. */
  readonly commit: (segment: FinishedSegment) => Promise<void>
  /** How many rows the input seems to have in all, by what was read so far; `null` where nothing tells. */
  readonly estimateRows: () => number | null
}

export interface Manifest {
  add(row: ManifestRow): Promise<void>
  /** Ends the last chunk and segment, and waits for all commits. */
  close(): Promise<ManifestState>
  /** Gives up what is not committed. */
  abort(): Promise<void>
}

/**
 * Cuts rows into chunks and chunks into segments. One segment is made durable while the next one is filled. Memory: one chunk, and the rows
 * from whose number the size of chunks is decided: at most `SMALL_JOB_ROWS`, and no more than a segment holds.
 */
export function createManifest(options: ManifestOptions): Manifest {
  let state = options.from
  let pending: ManifestRow[] = []
  let pendingWeight = 0
  let open: OpenSegment | null = null
  let committing: Promise<void> = Promise.resolve()

  async function add(row: ManifestRow): Promise<void> {
    const weight = weightOf(row)
    if (pendingWeight + weight > SEGMENT_BYTES) {
      decide(options.estimateRows() ?? SMALL_JOB_ROWS)
      await cutChunks(true)
    }
    pending.push(row)
    pendingWeight += weight
    if (state.chunkRows === null && pending.length === SMALL_JOB_ROWS) decide(SMALL_JOB_ROWS)
    if (state.chunkRows !== null && pending.length >= state.chunkRows) await cutChunks(false)
  }

  function decide(rows: number): void {
    const chunkRows = state.chunkRows ?? Math.min(CHUNK_ROWS, Math.max(MIN_CHUNK_ROWS, Math.ceil(rows / 20)))
    state = { ...state, chunkRows }
  }

  /** Cuts off whole chunks; with `all` the last one may be shorter. */
  async function cutChunks(all: boolean): Promise<void> {
    const { chunkRows } = state
    if (chunkRows === null) return
    let from = 0
    while (from < pending.length && (all || pending.length - from >= chunkRows)) {
      await putChunk(pending.slice(from, from + chunkRows))
      from += chunkRows
    }
    pending = pending.slice(from)
    pendingWeight = pending.reduce((sum, row) => sum + weightOf(row), 0)
  }

  async function putChunk(rows: readonly ManifestRow[]): Promise<void> {
    const weight = rows.reduce((sum, row) => sum + weightOf(row), 0)
    if (open !== null && open.weight() + weight > SEGMENT_BYTES) await endSegment()
    open ??= await openSegmentAt(options, state)
    state = await open.put(rows, weight, state)
  }

  async function endSegment(): Promise<void> {
    if (open === null) return
    const ending = open
    open = null
    await committing
    state = { ...state, segments: state.segments + 1 }
    const finished = ending.finish(state)
    // The hash goes on from this segment's, which is known before it is durable.
    state = finished.state
    committing = finished.durable.then(options.commit)
    // A failure is thrown where it is waited for; until then it is nobody's.
    committing.catch(() => undefined)
  }

  return Object.freeze({
    add,
    async close() {
      decide(state.rows + pending.length)
      await cutChunks(true)
      await endSegment()
      await committing
      return state
    },
    async abort() {
      await open?.abort()
      await committing.catch(() => undefined)
    },
  })
}

function weightOf({ text, unreadable }: ManifestRow): number {
  return Buffer.byteLength(text) + 1 + (unreadable === null ? 0 : UNREADABLE_WEIGHT)
}
