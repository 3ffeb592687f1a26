import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where files of batches lie: on disk, for a million requests are gigabytes. */
export interface Shelf {
  /** A new file, and its path. */
  write(): Promise<ShelfWriter>
  /** The bytes of a file, as they lie; of the first `bytes` of them, where that is given. */
  read(path: string, bytes?: number): AsyncIterable<Buffer>
  /** Removes a file; one that is not there is no matter. */
  remove(path: string): Promise<void>
  /** Removes everything. */
  close(): void
}

export interface ShelfWriter {
  readonly path: string
  /** Takes bytes; waits where the disk is behind. They must not be changed afterwards. */
  write(bytes: Buffer): Promise<void>
  /** Bytes of the whole file, all of which are on disk. */
  end(): Promise<number>
}

const BLOCK_BYTES = 256 * 1024
/** The answers to a block of requests are worked out in one go: it is small, so that other clients do not wait for them. */
const READ_BYTES = 32 * 1024

/** A shelf in a folder of its own, made when it is first needed and removed with the process at the latest, unless that is killed. */
export function createShelf(): Shelf {
  let folder: string | null = null
  let files = 0
  const removeAll = () => {
    if (folder !== null) rmSync(folder, { recursive: true, force: true })
    folder = null
  }
  const place = () => {
    if (folder === null) {
      folder = mkdtempSync(join(tmpdir(), 'sluice-simulator-'))
      process.once('exit', removeAll)
    }
    files += 1
    return join(folder, `${files}.jsonl`)
  }
  return Object.freeze({
    write: async () => {
      const path = place()
      return writerOf(path, await open(path, 'w'))
    },
    read: (path: string, bytes?: number) =>
      createReadStream(path, {
        highWaterMark: READ_BYTES,
        ...(bytes !== undefined && { end: Math.max(0, bytes - 1) }),
      }) as AsyncIterable<Buffer>,
    remove: (path: string) => rm(path, { force: true }),
    close: () => {
      process.off('exit', removeAll)
      removeAll()
    },
  })
}

function writerOf(path: string, file: FileHandle): ShelfWriter {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let written = 0
  const flush = async () => {
    const block = Buffer.concat(waiting)
    waiting = []
    waitingBytes = 0
    written += block.length
    await file.writeFile(block)
  }
  return Object.freeze({
    path,
    write: async (bytes: Buffer) => {
      waiting.push(bytes)
      waitingBytes += bytes.length
      if (waitingBytes >= BLOCK_BYTES) await flush()
    },
    end: async () => {
      await flush()
      await file.close()
      return written
    },
  })
}

/** Lines as they come in, without their breaks; empty ones are left out. */
export async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const splitter = createLineSplitter()
  for await (const chunk of bytes) yield* splitter.push(chunk)
  yield* splitter.end()
}

/** Cuts bytes into lines, however they arrive. */
export function createLineSplitter() {
  let rest: Buffer = Buffer.alloc(0)
  return Object.freeze({
    push(chunk: Uint8Array): readonly Buffer[] {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
      const lines: Buffer[] = []
      let from = 0
      for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, from)) {
        const line = bytes.subarray(from, at)
        add(lines, from === 0 && rest.length > 0 ? Buffer.concat([rest, line]) : line)
        from = at + 1
      }
      const tail = bytes.subarray(from)
      rest = from === 0 ? Buffer.concat([rest, tail]) : Buffer.from(tail)
      return lines
    },
    end(): readonly Buffer[] {
      const lines: Buffer[] = []
      add(lines, rest)
      rest = Buffer.alloc(0)
      return lines
    },
  })
}

function add(lines: Buffer[], line: Buffer): void {
  const bare = line.length > 0 && line[line.length - 1] === 0x0d ? line.subarray(0, -1) : line
  if (bare.length > 0) lines.push(bare)
}
