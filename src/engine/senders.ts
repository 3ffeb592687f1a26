import type { Hash } from 'node:crypto'
import { SluiceError } from '../errors.ts'

/** Running hashes that are kept of files nobody is sending at the moment; of one that is not kept the hash is made anew from what is stored. */
const HASHES = 1_000

/** Who sends which file to this process, and how far the hash of each has come. */
export interface Senders {
  /**
   * Runs `work` as the only sender of the file in this process: one that is at it is told to stop, and its end is waited for, since what it had
   * received counts. The signal aborts when the next one comes, or when `outer` does.
   */
  alone<T>(id: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Takes away the running hash over the first `bytes` bytes of the file; `null`: there is none. */
  takeHash(id: string, bytes: number): Hash | null
  keepHash(id: string, bytes: number, hash: Hash): void
}

interface Turn {
  readonly stop: () => void
  readonly ended: Promise<unknown>
}

/** Creates the record of one process. */
export function createSenders(): Senders {
  const turns = new Map<string, Turn>()
  const hashes = new Map<string, { readonly bytes: number; readonly hash: Hash }>()
  return Object.freeze({
    async alone<T>(id: string, outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>) {
      const before = turns.get(id)
      const next = new AbortController()
      const running = (async () => {
        before?.stop()
        await before?.ended
        return work(AbortSignal.any([outer, next.signal]))
      })()
      const turn = { stop: () => next.abort(overtaken(id)), ended: running.catch(() => undefined) }
      turns.set(id, turn)
      try {
        return await running
      } finally {
        if (turns.get(id) === turn) turns.delete(id)
      }
    },
    takeHash(id: string, bytes: number) {
      const kept = hashes.get(id)
      hashes.delete(id)
      return kept?.bytes === bytes ? kept.hash : null
    },
    keepHash(id: string, bytes: number, hash: Hash) {
      hashes.set(id, { bytes, hash })
      if (hashes.size > HASHES) hashes.delete(hashes.keys().next().value as string)
    },
  })
}

function overtaken(id: string): SluiceError {
  return new SluiceError('file_state', `another sender of ${id} has come, and goes on in its place`)
}
