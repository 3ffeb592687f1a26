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

/** The blob key of a job's segment: NDJSON, a line a row, each an array of values in column order; `null` for a line that could not be read. */
export function segmentKey(job: JobId, segmentNo: number): string {
  return `jobs/${job}/snapshot/${String(segmentNo).padStart(6, '0')}.ndjson`
}

/** Where whole lines lie in their segment. */
export interface Extent {
  readonly byteOffset: number
  readonly byteLength: number
  readonly sha256: string
}

/** One segment while it is written. Nothing of it can be seen before `finish`. */
export interface SegmentWriter {
  readonly key: string
  bytes(): number
  /** Adds the lines of one chunk. */
  append(lines: string): Promise<Extent>
  /** Ends the segment: its hash is known at once, `durable` resolves when it is there for good. */
  finish(): { readonly sha256: string; readonly durable: Promise<void> }
  abort(): Promise<void>
}

/** Opens a segment for writing. Memory: two pieces, or the longest chunk. */
export async function openSegment(blob: Blob, key: string): Promise<SegmentWriter> {
  const writer = await blob.writer(key)
  const pieces = createPieces(writer)
  const hash = createHash('sha256')
  let written = 0
  return Object.freeze({
    key,
    bytes: () => written,
    async append(lines: string): Promise<Extent> {
      const bytes = Buffer.from(lines)
      const extent = { byteOffset: written, byteLength: bytes.length, sha256: sha256(bytes) }
      hash.update(bytes)
      written += bytes.length
      await pieces.add(bytes)
      return extent
    },
    finish() {
      return { sha256: hash.digest('hex'), durable: pieces.flush().then(() => writer.close()) }
    },
    abort: () => writer.abort(),
  })
}

/** Gathers small writes into large ones: five thousand small ones a second would each wait for a thread of the pool. */
function createPieces(writer: BlobWriter) {
  let parts: Buffer[] = []
  let length = 0
  async function flush(): Promise<void> {
    if (length === 0) return
    const piece = parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
    parts = []
    length = 0
    await writer.write(piece)
  }
  return {
    flush,
    async add(bytes: Buffer): Promise<void> {
      parts.push(bytes)
      length += bytes.length
      if (length >= PIECE_BYTES) await flush()
    },
  }
}
