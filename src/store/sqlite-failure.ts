import { StorageFailure } from '../domain/storage-failure.ts'

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that say: the statement is right, but the database cannot. */
const KINDS: ReadonlyMap<number, StorageFailure['kind']> = new Map([
  [5, 'busy'], // SQLITE_BUSY
  [6, 'busy'], // SQLITE_LOCKED
  [8, 'io'], // SQLITE_READONLY
  [10, 'io'], // SQLITE_IOERR
  [11, 'io'], // SQLITE_CORRUPT
  [13, 'full'], // SQLITE_FULL
  [14, 'io'], // SQLITE_CANTOPEN
  [26, 'io'], // SQLITE_NOTADB
])

const NOT_A_DATABASE = 26

/** SQLITE_IOERR_SHMSIZE: the -shm file could not grow, which a full disk brings about before any page is written. */
const SHM_CANNOT_GROW = 10 | (19 << 8)

/** The failure of the database that `error` stands for; `null` when it is none (a broken constraint, a defect in a statement). */
export function storageFailure(error: unknown): StorageFailure | null {
  if (error instanceof StorageFailure) return error
  if (!(error instanceof Error)) return null
  if ('code' in error) {
    if (error.code === 'ENOSPC' || error.code === 'EDQUOT') return new StorageFailure('full', error.message, error)
    if (error.code === 'ERR_INVALID_STATE') return new StorageFailure('closed', 'the store is closed', error)
  }
  const code = extendedCode(error)
  if (code === null) return null
  const kind = code === SHM_CANNOT_GROW ? 'full' : KINDS.get(code & 0xff)
  return kind === undefined ? null : new StorageFailure(kind, error.message, error)
}

/** Whether `error` says that the file is something else than a SQLite database. */
export function isNotADatabase(error: unknown): boolean {
  const code = extendedCode(error)
  return code !== null && (code & 0xff) === NOT_A_DATABASE
}

/** Runs a call into SQLite; what goes wrong with the database itself is thrown as `StorageFailure`. */
export function mapped<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw storageFailure(error) ?? error
  }
}

/** SQLite's extended result code of an error of `node:sqlite`. */
function extendedCode(error: unknown): number | null {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode : null
}
