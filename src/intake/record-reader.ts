import type { SourceItem } from './source.ts'
import type { TextFile } from './text-file.ts'

/** A chunk, and a record as long. */
const WINDOW_BYTES = 128 * 1024

/**
 * Takes records off the front of a text, block by block. Between two blocks all that it knows is in `state`, a plain JSON object: reading can
 * go on from there in another process.
 */
export interface RecordReader {
  /**
   * Reads whole records from the front of `bytes` into `items` and returns how many bytes it took; the rest is given again with more behind it.
   * `final`: there is no more; all must be taken. Items keep nothing of `bytes`, which are overwritten after.
   */
  take(bytes: Buffer, final: boolean, items: SourceItem[]): number
  state(): ReaderState
}

/** `line`: the line in the file that the next record begins on, from 1; `empty`: empty lines skipped so far. */
export interface ReaderState {
  readonly line: number
  readonly empty?: number
  readonly [key: string]: unknown
}

/** What a file gave, up to an offset in its text. */
export interface RecordBlock {
  readonly items: readonly SourceItem[]
  readonly offset: number
  readonly state: ReaderState
  readonly bytesRead: number
}

/** Reads a text from `offset` through `reader`. Memory: a window of 128 KiB, or a few times the longest record. */
export async function* readRecords(text: TextFile, reader: RecordReader, offset: number): AsyncGenerator<RecordBlock> {
  const window = createWindow()
  let at = offset
  let bytesRead = 0
  /** Bytes that held no whole record when they were last looked at. */
  let looked = 0
  const take = (final: boolean): RecordBlock => {
    const items: SourceItem[] = []
    const taken = reader.take(window.bytes(), final, items)
    at += taken
    looked = window.drop(taken)
    return { items, offset: at, state: reader.state(), bytesRead }
  }
  for await (const chunk of text.read(offset)) {
    window.add(chunk.bytes)
    bytesRead = chunk.bytesRead
    // A record that spans many chunks is looked at again only when its length has doubled: else a long one would take quadratic time.
    if (window.bytes().length >= 2 * looked) yield take(false)
  }
  yield take(true)
}

/** The bytes between reader and text, in one piece of memory that is used again and again: nothing for the garbage collector. */
function createWindow() {
  let memory = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  let length = 0
  return {
    bytes: () => memory.subarray(0, length),
    add(chunk: Uint8Array) {
      if (length + chunk.length > memory.length) {
        const larger = Buffer.allocUnsafeSlow(2 * (length + chunk.length))
        memory.copy(larger, 0, 0, length)
        memory = larger
      }
      memory.set(chunk, length)
      length += chunk.length
    },
    /** Removes bytes from the front; how many stay. */
    drop(bytes: number): number {
      memory.copyWithin(0, bytes, length)
      length -= bytes
      if (length <= WINDOW_BYTES / 2 && memory.length > WINDOW_BYTES) {
        const smaller = Buffer.allocUnsafeSlow(WINDOW_BYTES)
        memory.copy(smaller, 0, 0, length)
        memory = smaller
      }
      return length
    },
  }
}
