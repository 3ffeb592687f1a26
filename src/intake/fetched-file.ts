import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SluiceError } from '../errors.ts'
import type { DiskFile } from './input-file.ts'

/** What of a file's end is fetched where only that is needed: a Parquet file says there what it holds. */
const END_BYTES = 256 * 1024

/** A file that lies elsewhere. */
export interface DistantFile {
  readonly name: string
  readonly bytes: number
  /** Its bytes from an offset on. */
  read(from: number): AsyncIterable<Buffer>
  /** Its last 8 bytes; asked for only where it has as many. */
  tail(): Promise<Buffer>
}

/**
 * A copy of the file, or a file of its size that holds nothing but its end and takes no more room than that. Throws `storage` where this machine has no
 * room for it, and what reading throws.
 */
export async function fetchToDisk(
  file: DistantFile,
  part: 'end' | 'all',
  signal: AbortSignal | undefined,
): Promise<DiskFile> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-input-'))
  const path = join(folder, 'object')
  const release = () => rm(folder, { recursive: true, force: true })
  try {
    const copy = await open(path, 'w')
    try {
      await copy.truncate(file.bytes)
      let at = part === 'all' ? 0 : Math.max(0, file.bytes - (await endBytes(file)))
      for await (const block of file.read(at)) {
        signal?.throwIfAborted()
        at += (await copy.write(block, 0, block.length, at)).bytesWritten
      }
    } finally {
      await copy.close()
    }
    return Object.freeze({ path, release })
  } catch (error) {
    await release()
    throw notFetched(file, error)
  }
}

/** By the length that a Parquet file gives of its footer, where that is longer than what is usual. */
async function endBytes(file: DistantFile): Promise<number> {
  return file.bytes < 8 ? file.bytes : Math.max(END_BYTES, (await file.tail()).readUInt32LE(0) + 8)
}

function notFetched(file: DistantFile, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof SluiceError) return error
  return new SluiceError(
    'storage',
    `${file.name}, of ${file.bytes} bytes, cannot be copied to ${tmpdir()}: ${message}`,
    {
      hint: 'Make room there, or set TMPDIR to a folder with more.',
      cause: error,
    },
  )
}
