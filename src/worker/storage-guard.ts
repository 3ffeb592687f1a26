import { StorageFailure } from '../domain/storage-failure.ts'
import type { Events } from '../events.ts'
import type { Runtime } from '../runtime.ts'

/** How long a store that cannot be written is waited for (contract §2). */
export const STORAGE_PATIENCE_MS = 60_000
const PROBE_EVERY_MS = 500

/** Carries durable writes over a store that fails for a while: what is finished is held in memory, nothing is sent meanwhile. */
export interface StorageGuard {
  /** A write is failing now: send nothing. */
  readonly failing: boolean
  /** How many writes have failed so far, for whatever time. */
  readonly failures: number
  /** Repeats `write` until it goes through. Rejects with the StorageFailure when patience ends: this process must stop. */
  persist<T>(write: () => Promise<T>): Promise<T>
  /** Tries once; `null` where the store fails. For what must not be made up for as soon as it is back. */
  attempt<T>(ask: () => Promise<T>): Promise<T | null>
}

/** Creates the guard of one worker. */
export function createStorageGuard(options: {
  readonly runtime: Runtime
  readonly events: Events
  /** Ends all patience. */
  readonly over: AbortSignal
  /** @default 60_000 */
  readonly patienceMs?: number
  /** Makes room for the last commits on a full disk. */
  readonly freeBallast: () => Promise<void>
  /** Hears once that the disk was found to be full, after the ballast was freed: the job should pause. */
  readonly onFull: () => void
}): StorageGuard {
  const { runtime, events, over, patienceMs = STORAGE_PATIENCE_MS } = options
  let failingWrites = 0
  let failures = 0
  let wasFull = false

  /** `true`: there may be room now. */
  const makeRoom = async (failure: StorageFailure): Promise<boolean> => {
    if (failure.kind !== 'full' || wasFull) return false
    wasFull = true
    await options.freeBallast()
    options.onFull()
    return true
  }
  const repeat = async <T>(write: () => Promise<T>, first: StorageFailure): Promise<T> => {
    const since = runtime.elapsed()
    let last = first
    events.emit('storage.failing', { message: first.message })
    while (!over.aborted && last.kind !== 'closed' && runtime.elapsed() - since < patienceMs) {
      if (!(await makeRoom(last))) await runtime.sleep(PROBE_EVERY_MS, over).catch(() => undefined)
      try {
        const result = await write()
        events.emit('storage.back', { afterMs: Math.round(runtime.elapsed() - since) })
        return result
      } catch (error) {
        if (!(error instanceof StorageFailure)) throw error
        last = error
      }
    }
    throw last
  }

  return Object.freeze({
    get failing() {
      return failingWrites > 0
    },
    get failures() {
      return failures
    },
    async attempt<T>(ask: () => Promise<T>): Promise<T | null> {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof StorageFailure)) throw error
        failures += 1
        return null
      }
    },
    async persist<T>(write: () => Promise<T>): Promise<T> {
      try {
        return await write()
      } catch (error) {
        if (!(error instanceof StorageFailure)) throw error
        failingWrites += 1
        failures += 1
        try {
          return await repeat(write, error)
        } finally {
          failingWrites -= 1
        }
      }
    },
  })
}
