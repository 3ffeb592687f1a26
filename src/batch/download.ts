import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LineSpan } from './result-index.ts'

/** Bytes that are written to, or read from, the disk at once. */
const BLOCK_BYTES = 1024 * 1024

const LF = Buffer.from('\n')

/** Lines on the local disk, while they are sorted. */
export interface Download {
  /** Adds a line, which is copied. Returns where it will lie. */
  add(line: Buffer): Promise<LineSpan>
  /** These lines with their ends, in blocks: whatever was added so far. */
  read(spans: Iterable<LineSpan>): AsyncGenerator<Buffer>
}

/** Gives `work` a file of lines in the system's folder for temporary files, and removes it afterwards. Memory: a block. */
export async function withDownload<T>(work: (download: Download) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-batch-'))
  try {
    const file = await open(join(folder, 'results'), 'wx+')
    try {
      // Without a name it goes with this process, however that ends. Systems that do not allow it keep it until below.
      await rm(folder, { recursive: true, force: true }).catch(() => undefined)
      return await work(createDownload(file))
    } finally {
      await file.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function createDownload(file: FileHandle): Download {
  let block: Buffer[] = []
  let [held, written] = [0, 0]
  const pour = async () => {
    const bytes = Buffer.concat(block)
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, written + done)
      done += bytesWritten
    }
    written += bytes.length
    block = []
    held = 0
  }
  return Object.freeze({
    async add(line: Buffer) {
      const span = { offset: written + held, length: line.length }
      block.push(Buffer.from(line))
      held += line.length
      if (held >= BLOCK_BYTES) await pour()
      return span
    },
    async *read(spans: Iterable<LineSpan>) {
      if (held > 0) await pour()
      let wanted: LineSpan[] = []
      let bytes = 0
      for (const span of spans) {
        wanted.push(span)
        bytes += span.length + LF.length
        if (bytes < BLOCK_BYTES) continue
        yield await readLines(file, wanted)
        wanted = []
        bytes = 0
      }
      if (bytes > 0) yield await readLines(file, wanted)
    },
  })
}

/**
 * The lines, each with its end. They are all asked for at a time, and those that lie side by side as one: of lines read one after the other each would
 * wait for a turn of its own, behind all else that the process does.
 */
async function readLines(file: FileHandle, spans: readonly LineSpan[]): Promise<Buffer> {
  const runs = runsOf(spans)
  const blocks = await Promise.all(runs.map((run) => readSpan(file, run)))
  const out: Buffer[] = []
  for (const [at, { lengths }] of runs.entries()) {
    let from = 0
    for (const length of lengths) {
      out.push((blocks[at] as Buffer).subarray(from, from + length), LF)
      from += length
    }
  }
  return Buffer.concat(out)
}

/** Lines that follow each other on the disk as in the order that is asked for. */
interface Run extends LineSpan {
  readonly lengths: readonly number[]
}

function runsOf(spans: readonly LineSpan[]): readonly Run[] {
  const runs: { offset: number; length: number; lengths: number[] }[] = []
  for (const { offset, length } of spans) {
    const last = runs.at(-1)
    if (last !== undefined && last.offset + last.length === offset) {
      last.length += length
      last.lengths.push(length)
    } else runs.push({ offset, length, lengths: [length] })
  }
  return runs
}

async function readSpan(file: FileHandle, { offset, length }: LineSpan): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done)
    if (bytesRead === 0) throw new Error('the downloaded results ended early')
    done += bytesRead
  }
  return bytes
}
