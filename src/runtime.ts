import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** The outside world that everything else is given: the clock, waiting, randomness and ids. Tests put their own in. */
export interface Runtime {
  /** UTC milliseconds. */
  now(): number
  /** Monotonic milliseconds, for durations. */
  elapsed(): number
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. Never keeps the process alive by itself when `unref`. */
  sleep(ms: number, signal?: AbortSignal, options?: { readonly unref?: boolean }): Promise<void>
  /** Calls back after `ms` unless cancelled through the returned function. */
  after(ms: number, callback: () => void): () => void
  /** Uniform in [0, 1). */
  random(): number
  /** A new UUIDv7: ordered by time. */
  uuid(): string
}

/** A UUIDv7 (RFC 9562) of a time and 74 random bits. */
export function uuidv7(nowMs: number, random: Uint8Array): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(nowMs, 0, 6)
  bytes.set(random.subarray(0, 10), 6)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The runtime of a real process. */
export function systemRuntime(): Runtime {
  let pool = Buffer.alloc(0)
  let used = 0
  // Drawn in blocks: a call into the kernel for each id would cost more than the id's row in the store.
  const tenBytes = () => {
    if (used + 10 > pool.length) {
      pool = randomBytes(10 * 256)
      used = 0
    }
    used += 10
    return pool.subarray(used - 10, used)
  }
  return Object.freeze({
    now: () => Date.now(),
    elapsed: () => performance.now(),
    sleep: async (ms: number, signal?: AbortSignal, options?: { readonly unref?: boolean }) => {
      await delay(ms, undefined, { ...(signal && { signal }), ref: options?.unref !== true })
    },
    after: (ms: number, callback: () => void) => {
      const timer = setTimeout(callback, ms)
      return () => clearTimeout(timer)
    },
    random: () => Math.random(),
    uuid: () => uuidv7(Date.now(), tenBytes()),
  })
}

/** sha-256 of text or bytes, as hex. */
export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}

/** Bytes that nobody can guess, for secrets. */
export function secretBytes(bytes: number): Buffer {
  return randomBytes(bytes)
}

/** A name for this process that no other ever has. */
export function processToken(): string {
  return randomUUID()
}

/**
 * Makes a folder, with those above it where they are missing. Rejects as `mkdir` does. Node's own `recursive` never returns where a folder is there
 * in which none can be made (`/proc/x`).
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOneFolder(path)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    if (!existsSync(parent)) await makeFolder(parent)
    // Another may have made the parent in between; where it stands and still takes no folder, this says so.
    await makeOneFolder(path)
  }
}

/** Makes a folder whose parent is there; one that is there already is no error. */
async function makeOneFolder(path: string): Promise<void> {
  try {
    await mkdir(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !(await stat(path)).isDirectory()) throw error
  }
}
