import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A file system of its own and of a given size. */
export interface SmallDisk {
  readonly path: string
  /** Writes until nothing more goes in. */
  fill(): void
  /** Gives the room back that `fill` took. */
  clear(): void
  unmount(): void
}

/** Mounts one at `path`, where this machine lets us have one; `null` else. */
export function smallDisk(path: string, megabytes: number): SmallDisk | null {
  mkdirSync(path, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return null
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill() {
      // Large blocks first, so that it is quick; then small ones, so that nothing is left.
      for (const bytes of [4_194_304, 65_536, 4_096]) writeBlocks(filler, Buffer.alloc(bytes))
    },
    clear: () => rmSync(filler, { force: true }),
    unmount: () => execFileSync('umount', ['-l', path]),
  }
}

function writeBlocks(path: string, block: Buffer): void {
  try {
    while (true) writeFileSync(path, block, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
