import { createCipheriv } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { storageFailure } from './sqlite-failure.ts'

/** Enough for the last commits of a few thousand rows, and for the pause. */
export const BALLAST_BYTES = 4 * 1024 * 1024

/**
 * A file that does nothing but take up room. When the disk is full it is given up, so that what is finished and the job's pause can still be
 * committed. Processes on one directory share it.
 */
export interface Ballast {
  free(): Promise<void>
  /** Puts it back where there is room; where there is none, nothing remains of the try. */
  restore(): Promise<void>
}

/** The ballast at `path`. */
export function ballastAt(path: string, bytes: number): Ballast {
  return Object.freeze({
    free: () => rm(path, { force: true }),
    async restore() {
      const size = await stat(path).then(
        (found) => found.size,
        () => 0,
      )
      if (size >= bytes) return
      try {
        await fill(path, bytes)
      } catch (error) {
        await rm(path, { force: true })
        if (storageFailure(error)?.kind !== 'full') throw error
      }
    },
  })
}

/** Fills it with what no file system can compress: a run of zeros would not set room aside everywhere. */
async function fill(path: string, bytes: number): Promise<void> {
  const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(bytes))
  const file = await open(path, 'w')
  try {
    await file.writeFile(noise)
    await file.sync()
  } finally {
    await file.close()
  }
}
