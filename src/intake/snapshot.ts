import { createHash } from 'node:crypto'
import type { Blob, BlobWriter } from '../blob/blob.ts'
import type { JobId } from '../domain/job.ts'
import { sha256 } from '../runtime.ts'

/**
 * Bytes that one segment of the snapshot may have. A killed intake repeats at most one segment; a chunk lies in one segment, so this also
 * bounds what a worker loads at once.
 */
export const SEGMENT_BYTES = 16 * 1024 * 1024

/** Bytes that are gathered before they are written. */
const PIECE_BYTES = 1024 * 1024

const LF = 0x0a

/** The blob key of a job's segment: NDJSON, a line a row, each an array of values in column order; `null` for a line that could not be read. */
export function segmentKey(job: JobId, segmentNo: number): string {
  return `jobs/${job}/snapshot/${String(segmentNo).padStart(6, '0')}.ndjson`
}

/** A line of a segment, without its end, and the bytes that it takes up as UTF-8. */
export interface SnapshotLine {
  readonly text: string
  readonly bytes: number
}

/** Where whole lines lie in their segment. */
export interface Extent {
  readonly byteOffset: number
  readonly byteLength: number
  readonly sha256: string
}

/** One segment while it is written. Nothing of it can be seen before it is durable. */
export interface SegmentWriter {
  readonly key: string
  bytes(): number
  /** Adds the lines of one chunk. */
  append(lines: readonly SnapshotLine[]): Promise<Extent>
  /** Ends the segment: its hash is known at once, `durable` resolves when it is there for good. */
  finish(): { readonly sha256: string; readonly durable: Promise<void> }
  abort(): Promise<void>
}

/** Opens a segment for writing, with memory from `pieces`. */
export async function openSegment(blob: Blob, key: string, pieces: PiecePool): Promise<SegmentWriter> {
  const out = createPieceWriter(await blob.writer(key), pieces)
  const hash = createHash('sha256')
  let written = 0
  return Object.freeze({
    key,
    bytes: () => written,
    async append(lines: readonly SnapshotLine[]): Promise<Extent> {
      const length = lines.reduce((sum, line) => sum + line.bytes + 1, 0)
      const bytes = await out.room(length)
      writeLines(lines, bytes)
      await out.filled(bytes)
      hash.update(bytes)
      const extent = { byteOffset: written, byteLength: length, sha256: sha256(bytes) }
      written += length
      return extent
    },
    finish: () => ({ sha256: hash.digest('hex'), durable: out.close() }),
    abort: out.abort,
  })
}

function writeLines(lines: readonly SnapshotLine[], into: Buffer): void {
  let at = 0
  for (const { text, bytes } of lines) {
    // Text of ASCII alone, which most is, needs no encoding.
    at += into.write(text, at, bytes === text.length ? 'latin1' : 'utf8')
    into[at++] = LF
  }
}

/** Memory for pieces that is used again and again: what is allocated anew for each would only burden the garbage collector. */
export interface PiecePool {
  take(): Buffer
  give(piece: Buffer): void
}

/** An empty pool; it grows to as many pieces as are ever in use at once: three. */
export function createPiecePool(): PiecePool {
  const free: Buffer[] = []
  return Object.freeze({
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES),
    give: (piece: Buffer) => void free.push(piece),
  })
}

/** Gathers what is put into its rooms into large writes; one of them is under way while the next piece is filled. */
function createPieceWriter(writer: BlobWriter, pool: PiecePool) {
  let piece = pool.take()
  let used = 0
  let writing: Promise<void> = Promise.resolve()

  async function write(bytes: Buffer, after: () => void): Promise<void> {
    await writing
    writing = writer.write(bytes).then(after)
    // A failure is thrown where it is waited for; until then it is nobody's.
    writing.catch(() => undefined)
  }
  async function flush(): Promise<void> {
    if (used === 0) return
    const full = piece
    const bytes = full.subarray(0, used)
    piece = pool.take()
    used = 0
    await write(bytes, () => pool.give(full))
  }
  return {
    /** Memory to be filled, and then given to `filled`: a part of the piece, or its own where it is longer than one. */
    async room(length: number): Promise<Buffer> {
      if (used + length > PIECE_BYTES) await flush()
      if (length > PIECE_BYTES) return Buffer.allocUnsafeSlow(length)
      used += length
      return piece.subarray(used - length, used)
    },
    async filled(bytes: Buffer): Promise<void> {
      if (bytes.length > PIECE_BYTES) await write(bytes, () => undefined)
    },
    async close(): Promise<void> {
      try {
        await flush()
        await writing
      } catch (error) {
        await writer.abort()
        throw error
      }
      pool.give(piece)
      await writer.close()
    },
    async abort(): Promise<void> {
      await writing.catch(() => undefined)
      await writer.abort()
    },
  }
}
