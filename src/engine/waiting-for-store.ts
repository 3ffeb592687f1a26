import { StorageFailure } from '../domain/storage-failure.ts'
import type { EngineDeps } from './engine-deps.ts'

/** How often a store that is away is asked again. */
const ASK_AGAIN_MS = 500

/**
 * What the store says to `ask`, which is asked again while the store is away: for as long as a worker at its work waits for it. Rejects with the
 * StorageFailure when that is over, the store was closed, or `signal` aborts.
 */
export async function waitingForStore<T>(
  { runtime, events, storagePatienceMs }: Pick<EngineDeps, 'runtime' | 'events' | 'storagePatienceMs'>,
  signal: AbortSignal,
  ask: () => Promise<T>,
): Promise<T> {
  const sinceMs = runtime.elapsed()
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await ask()
      if (tries > 1) events.emit('storage.back', { afterMs: Math.round(runtime.elapsed() - sinceMs) })
      return answer
    } catch (error) {
      const over = signal.aborted || runtime.elapsed() - sinceMs >= storagePatienceMs
      if (!(error instanceof StorageFailure) || error.kind === 'closed' || over) throw error
      if (tries === 1) events.emit('storage.failing', { message: error.message })
      await runtime.sleep(ASK_AGAIN_MS, signal).catch(() => undefined)
    }
  }
}
