import { existsSync, rmSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder } from '../runtime.ts'

/**
 * Tells at once that a worker's process is dead. Each worker holds an exclusive lock on a small file of its own: the operating system takes it
 * away when the process ends, however it ends. A process that is only stopped keeps it; its lease time governs.
 *
 * The lock is SQLite's, since Node has none of its own. Such a file must never be opened by other means in a process that holds its lock:
 * closing any descriptor of it would drop the lock (https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
 */
export interface Presence {
  /** Says that `workerId` lives in this process, until `release` or the end of the process. Sweeps first. */
  register(workerId: string): Promise<{ release(): Promise<void> }>
  /** Whether the worker is known to be dead, or never was here. */
  isGone(workerId: string): Promise<boolean>
  /** Removes what dead workers left behind. Returns how many there were. */
  sweep(): Promise<number>
}

const SUFFIX = '.lock'

/** Takes the lock and keeps it; nothing is ever written, and no journal is laid beside the file. */
const LOCK = 'pragma journal_mode = memory; begin exclusive'

/** Locks of this process. Nobody else may refer to one, and a handle that is collected as garbage is closed: its lock would be gone. */
const held = new Set<DatabaseSync>()

/** How long a registration waits for somebody who looks at its lock just then. */
const LOOK_MS = 1_000

/** Opens the directory of the workers' locks, and creates it where it is missing. All processes of one machine share it. */
export async function openPresence({ dir }: { readonly dir: string }): Promise<Presence> {
  await makeFolder(dir)
  const pathOf = (workerId: string) => join(dir, `${encodeURIComponent(workerId)}${SUFFIX}`)
  const sweep = async () => {
    const files = (await readdir(dir)).filter((name) => name.endsWith(SUFFIX))
    return files.filter((name) => removeDead(join(dir, name))).length
  }
  return Object.freeze({
    async register(workerId: string) {
      await sweep()
      const path = pathOf(workerId)
      const lock = takeLock(path)
      held.add(lock)
      return Object.freeze({
        async release() {
          if (!held.delete(lock)) return
          await rm(path, { force: true })
          lock.close()
        },
      })
    },
    isGone: async (workerId: string) => !isHeld(pathOf(workerId)),
    sweep,
  })
}

/** Creates the file and locks it. Between the two a sweep may take it for a dead one's and remove it: then again. */
function takeLock(path: string): DatabaseSync {
  for (;;) {
    const lock = new DatabaseSync(path, { timeout: LOOK_MS })
    lock.exec(LOCK)
    if (existsSync(path)) return lock
    lock.close()
  }
}

/** Asks by a read, which any number of processes may do at once without taking each other for the holder. */
function isHeld(path: string): boolean {
  if (!existsSync(path)) return false
  return withLockFile(path, { readOnly: true }, (lock) => lock.exec('select count(*) from sqlite_schema')) === 'busy'
}

/** Removes the file under its own lock, so that nobody can hold it meanwhile. `false`: somebody does. */
function removeDead(path: string): boolean {
  return (
    withLockFile(path, { readOnly: false }, (lock) => {
      lock.exec(LOCK)
      rmSync(path, { force: true })
    }) === 'done'
  )
}

function withLockFile(path: string, { readOnly }: { readonly readOnly: boolean }, work: (lock: DatabaseSync) => void) {
  let lock: DatabaseSync | null = null
  try {
    lock = new DatabaseSync(path, { timeout: 0, readOnly })
    work(lock)
    return 'done'
  } catch (error) {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : null
    if (code === SQLITE_BUSY) return 'busy'
    // Its owner has left meanwhile.
    if (code === SQLITE_CANTOPEN) return 'missing'
    throw error
  } finally {
    lock?.close()
  }
}

const SQLITE_BUSY = 5
const SQLITE_CANTOPEN = 14
