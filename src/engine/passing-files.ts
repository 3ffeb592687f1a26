import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { AtOnce } from './at-once.ts'

/** Writes a file to a path; may stop when the signal aborts. */
export type WriteFile = (path: string, signal: AbortSignal) => Promise<unknown>

/** Files that are made to be read once: a slow reader holds none of what is in them. */
export interface PassingFiles {
  /**
   * The bytes of the file that `write` makes. It is begun after this is read first, never before; whoever asks under the same key until then reads
   * the same file. It is gone when the last of them has read it, or has left.
   */
  read(key: string, write: WriteFile, signal: AbortSignal): AsyncGenerator<Buffer>
}

interface PassingFile {
  readonly made: Promise<string>
  /** Aborts when nobody is there who waits for it, or reads it. */
  readonly unwanted: AbortController
  readers: number
}

/** Creates the passing files of one process. `atOnce` says when each is made; blocks have `blockBytes` bytes. */
export function createPassingFiles(atOnce: AtOnce, blockBytes: number): PassingFiles {
  const notBegun = new Map<string, PassingFile>()

  const begin = (key: string, write: WriteFile): PassingFile => {
    const unwanted = new AbortController()
    const make = () => {
      if (notBegun.get(key) === file) notBegun.delete(key)
      unwanted.signal.throwIfAborted()
      return writeTemporary((path) => write(path, unwanted.signal))
    }
    // Not within this call: those who ask at the same moment are to find it.
    const made = Promise.resolve().then(() => atOnce(async () => make()))
    const file: PassingFile = { made, unwanted, readers: 0 }
    notBegun.set(key, file)
    return file
  }

  return Object.freeze({
    async *read(key: string, write: WriteFile, signal: AbortSignal) {
      signal.throwIfAborted()
      const file = notBegun.get(key) ?? begin(key, write)
      file.readers += 1
      const leave = () => {
        signal.removeEventListener('abort', leave)
        file.readers -= 1
        if (file.readers > 0) return
        if (notBegun.get(key) === file) notBegun.delete(key)
        file.unwanted.abort(signal.reason)
      }
      signal.addEventListener('abort', leave, { once: true })
      try {
        yield* createReadStream(await file.made, { highWaterMark: blockBytes })
      } finally {
        if (!signal.aborted) leave()
        if (file.readers === 0) await removeTemporary(file.made)
      }
    },
  })
}

/** The path of a file that `write` made, in a folder of its own. */
export async function writeTemporary(write: (path: string) => Promise<unknown>): Promise<string> {
  const path = join(await mkdtemp(join(tmpdir(), 'sluice-results-')), 'results')
  try {
    await write(path)
    return path
  } catch (error) {
    await rm(dirname(path), { recursive: true, force: true })
    throw error
  }
}

/** Removes what `writeTemporary` made; what could not be made has left nothing. */
export async function removeTemporary(made: Promise<string>): Promise<void> {
  const path = await made.catch(() => null)
  if (path !== null) await rm(dirname(path), { recursive: true, force: true })
}
