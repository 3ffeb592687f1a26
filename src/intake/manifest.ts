import {
  type DraftOptions,
  type FinishedSegment,
  type ManifestRow,
  type ManifestState,
  openDraft,
  type SegmentDraft,
} from './segment-draft.ts'
import { SEGMENT_BYTES } from './snapshot.ts'

/** Rows of a chunk in a job that is not small. */
const CHUNK_ROWS = 200
/** Jobs below this many rows are cut into about twenty chunks of at least `MIN_CHUNK_ROWS`. */
const SMALL_JOB_ROWS = 4000
const MIN_CHUNK_ROWS = 10
/** What an unreadable line counts beside its bytes towards the size of a segment: its message and excerpt go into the same commit. */
const UNREADABLE_WEIGHT = 2048

export interface ManifestOptions extends DraftOptions {
  readonly from: ManifestState
  /** Called in order, one at a time, when segment and keys are durable. */
  readonly commit: (segment: FinishedSegment) => Promise<void>
  /** How many rows the input seems to have in all, by what was read so far; `null` where nothing tells. */
  readonly estimateRows: () => number | null
}

export interface Manifest {
  /** Takes a row; what is returned must be waited for before the next. */
  add(row: ManifestRow): Promise<void> | null
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
  let open: SegmentDraft | null = null
  let committing: Promise<void> = Promise.resolve()

  function add(row: ManifestRow): Promise<void> | null {
    const weight = weightOf(row)
    const full = pendingWeight + weight > SEGMENT_BYTES
    if (full) {
      decide(options.estimateRows() ?? SMALL_JOB_ROWS)
      return cutChunks(true).then(() => push(row, weight))
    }
    push(row, weight)
    if (state.chunkRows === null && isLarge()) decide(SMALL_JOB_ROWS)
    return state.chunkRows !== null && pending.length >= state.chunkRows ? cutChunks(false) : null
  }

  /** Whether the job is plainly no small one: then no more rows are held back to find out. */
  function isLarge(): boolean {
    if (pending.length === CHUNK_ROWS) return (options.estimateRows() ?? 0) > 2 * SMALL_JOB_ROWS
    return pending.length === SMALL_JOB_ROWS
  }

  function push(row: ManifestRow, weight: number): void {
    pending.push(row)
    pendingWeight += weight
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
    open ??= await openDraft(options, state)
    state = await open.put(rows, weight, state)
  }

  async function endSegment(): Promise<void> {
    if (open === null) return
    await committing
    const draft = open
    open = null
    const { segment, durable } = draft.finish(state)
    state = segment.state
    committing = durable.then(() => options.commit(segment))
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

function weightOf({ bytes, unreadable }: ManifestRow): number {
  return bytes + 1 + (unreadable === null ? 0 : UNREADABLE_WEIGHT)
}
