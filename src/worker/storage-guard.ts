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
  /** Repeats `write` until it goes through. Rejects with the StorageFailure when patience ends: this process must stop. */
  persist<T>(write: () => Promise<T>): Promise<T>
  /** Calls back once, when the disk was found to be full: the job should pause. */
  onFull(listener: () => void): void
  /** Calls back when patience has ended. */
  onGaveUp(listener: (failure: StorageFailure) => void): void
}

/** Creates the guard of one worker. `freeBallast` makes room for the last commits on a full disk. */
export function createStorageGuard(options: {
  readonly runtime: Runtime
  readonly events: Events
  readonly freeBallast: () => Promise<void>
}): StorageGuard {
  const { runtime, events } = options
  const onFull: (() => void)[] = []
  const onGaveUp: ((failure: StorageFailure) => void)[] = []
  let failingWrites = 0
  let wasFull = false

  const handleFull = async (failure: StorageFailure) => {
    if (failure.kind !== 'full' || wasFull) return
    wasFull = true
    await options.freeBallast()
    for (const listener of onFull) listener()
  }
  const repeat = async <T>(write: () => Promise<T>, first: StorageFailure): Promise<T> => {
    const since = runtime.elapsed()
    events.emit('storage.failing', { message: first.message })
    let last = first
    await handleFull(first)
    while (runtime.elapsed() - since < STORAGE_PATIENCE_MS) {
      try {
        const result = await write()
        events.emit('storage.back', { afterMs: Math.round(runtime.elapsed() - since) })
        return result
      } catch (error) {
        if (!(error instanceof StorageFailure)) throw error
        last = error
        await handleFull(error)
        await runtime.sleep(PROBE_EVERY_MS)
      }
    }
    for (const listener of onGaveUp) listener(last)
    throw last
  }

  return Object.freeze({
    get failing() {
      return failingWrites > 0
    },
    async persist<T>(write: () => Promise<T>): Promise<T> {
      try {
        return await write()
      } catch (error) {
        if (!(error instanceof StorageFailure)) throw error
        failingWrites += 1
        try {
          return await repeat(write, error)
        } finally {
          failingWrites -= 1
        }
      }
    },
    onFull: (listener: () => void) => void onFull.push(listener),
    onGaveUp: (listener: (failure: StorageFailure) => void) => void onGaveUp.push(listener),
  })
}
