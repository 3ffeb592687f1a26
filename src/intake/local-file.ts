import { createHash } from 'node:crypto'
import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { SluiceError } from '../errors.ts'
import { BLOCK_BYTES, type FoundFile } from './input-file.ts'

/** Bytes read at a time. */
const READ_BYTES = 512 * 1024

/** Bytes at the start of a file that tell, with size and time, whether it is still the same. */
const IDENTITY_BYTES = 64 * 1024

/** A file of this machine, at an absolute path; `hash` is what `sha256sum` prints. */
export function localFile(path: string, name: string, stats: Pick<Stats, 'size'>): FoundFile {
  const bytes = stats.size
  return Object.freeze({
    name,
    bytes,
    read: (from: number) => read(path, name, bytes, from),
    async identity() {
      const now = await stat(path).catch(() => null)
      const head = now === null ? null : await hashOf(path, IDENTITY_BYTES)
      return [name, now?.size ?? null, now?.mtimeMs ?? null, head]
    },
    hash: (signal?: AbortSignal) => hashOf(path, Number.POSITIVE_INFINITY, signal),
    onDisk: async () => ({ path, release: async () => undefined }),
  })
}

async function* read(path: string, name: string, bytes: number, start: number): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw new SluiceError('input_missing', `${name} cannot be opened: ${error.message}`, { cause: error })
  })
  let position = start
  const readInto = async (memory: Buffer): Promise<Buffer> => {
    const { bytesRead } = await handle.read(memory, 0, memory.length, position)
    position += bytesRead
    return memory.subarray(0, bytesRead)
  }
  // One is read while the other is worked on.
  const size = Math.max(1, Math.min(READ_BYTES, bytes - start))
  let [current, other] = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)]
  let coming = readInto(current)
  try {
    for (let read = await coming; read.length > 0; read = await coming) {
      ;[current, other] = [other, current]
      coming = readInto(current)
      for (let at = 0; at < read.length; at += BLOCK_BYTES) yield read.subarray(at, at + BLOCK_BYTES)
    }
  } finally {
    await coming.catch(() => undefined)
    await handle.close()
  }
}

async function hashOf(path: string, bytes: number, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const memory = Buffer.allocUnsafeSlow(READ_BYTES / 2)
  const file = await open(path, 'r')
  try {
    for (let left = bytes; left > 0; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(memory, 0, Math.min(left, memory.length))
      if (bytesRead === 0) break
      hash.update(memory.subarray(0, bytesRead))
      left -= bytesRead
    }
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}
