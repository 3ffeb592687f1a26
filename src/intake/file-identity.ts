import { createHash } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { sha256 } from '../runtime.ts'
import type { FoundFile } from './find-files.ts'

/** Bytes at the start of a file that tell, with size and time, whether it is still the same. */
const IDENTITY_BYTES = 64 * 1024

/** Bytes read at a time. */
const READ_BYTES = 256 * 1024

/** Another text when a file changed in size, time or beginning, or is gone. */
export async function identifyFiles(files: readonly FoundFile[]): Promise<string> {
  const parts: unknown[] = []
  for (const { path, name } of files) {
    const stats = await stat(path).catch(() => null)
    const head = stats === null ? null : await hashOf(path, IDENTITY_BYTES)
    parts.push([name, stats?.size ?? null, stats?.mtimeMs ?? null, head])
  }
  return sha256(JSON.stringify(parts))
}

/**
 * sha-256 of the input's bytes: of one file what `sha256sum` prints; of several the hash over a line `<hash>  <name>` for each, which is
 * what `sha256sum a.csv b.csv | sha256sum` prints.
 */
export async function hashFiles(files: readonly FoundFile[], signal?: AbortSignal): Promise<string> {
  const hashes: string[] = []
  for (const { path } of files) hashes.push(await hashOf(path, Number.POSITIVE_INFINITY, signal))
  if (hashes.length === 1) return hashes[0] as string
  return sha256(files.map(({ name }, at) => `${hashes[at]}  ${name}\n`).join(''))
}

async function hashOf(path: string, bytes: number, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const memory = Buffer.allocUnsafeSlow(READ_BYTES)
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
