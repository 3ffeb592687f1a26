import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StorageFailure } from '../domain/storage-failure.ts'
import { SluiceError } from '../errors.ts'
import { makeFolder, type Runtime } from '../runtime.ts'
import { isNotADatabase, mapped } from './sqlite-failure.ts'
import { whileBusy } from './sqlite-writer.ts'

/** "slui": the mark by which a database file says whose it is (https://sqlite.org/pragma.html#pragma_application_id). */
const APPLICATION_ID = 0x736c7569

/** How long SQLite itself waits for another process, blocking the event loop. */
const WRITE_BLOCK_MS = 50

/** A reader meets a lock only while a database is recovered or its last user leaves: rare and short, so it may wait in place. */
const READ_BLOCK_MS = 2_000

/** Pages in the WAL before they go to the database: 16 MiB. Four times SQLite's own, since a job writes the same pages over and over. */
const CHECKPOINT_PAGES = 4_000

/** Pages are kept so that an index in random order (answers) is not read again for each row: 16 MiB. */
const WRITE_CACHE_KIB = 16_384

/**
 * Opens the handle that writes: WAL, every commit durable. Creates the directory and the file. What cannot be opened is a SluiceError
 * `storage` that says why.
 */
export async function openWriteHandle(path: string, runtime: Runtime, busyMs: number): Promise<DatabaseSync> {
  try {
    await makeFolder(dirname(path))
    const handle = mapped(() => new DatabaseSync(path, { timeout: WRITE_BLOCK_MS }))
    try {
      await whileBusy(runtime, busyMs, () => prepareFile(handle, path))
      return handle
    } catch (error) {
      handle.close()
      throw error
    }
  } catch (error) {
    throw unopenable(path, error)
  }
}

/** Opens a second handle that can only read. The file must exist. */
export function openReadHandle(path: string): DatabaseSync {
  return mapped(() => new DatabaseSync(path, { readOnly: true, timeout: READ_BLOCK_MS }))
}

function prepareFile(handle: DatabaseSync, path: string): void {
  const owner = (handle.prepare('pragma application_id').get() as { application_id: number }).application_id
  if (owner !== APPLICATION_ID) {
    const { tables } = handle.prepare('select count(*) as tables from sqlite_schema').get() as { tables: number }
    if (owner !== 0 || tables > 0) throw foreign(path, 'it is the database of another program')
    handle.exec(`pragma application_id = ${APPLICATION_ID}`)
  }
  handle.exec('pragma journal_mode = wal')
  handle.exec('pragma synchronous = full')
  handle.exec(`pragma cache_size = -${WRITE_CACHE_KIB}`)
  handle.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  // A WAL that one long read made large is cut back.
  handle.exec('pragma journal_size_limit = 67108864')
}

function foreign(path: string, what: string, cause?: unknown): SluiceError {
  return new SluiceError('storage', `${path} cannot be used: ${what}`, {
    hint: 'Move it away, or use another --data-dir.',
    cause,
  })
}

function unopenable(path: string, error: unknown): unknown {
  if (isNotADatabase(error) || (error instanceof StorageFailure && isNotADatabase(error.cause)))
    return foreign(path, 'it is not a SQLite database', error)
  if (error instanceof StorageFailure) {
    const why = error.kind === 'io' ? 'the file cannot be opened for writing' : error.message
    return new SluiceError('storage', `${path} cannot be used: ${why}`, { hint: HINTS[error.kind], cause: error })
  }
  if (error instanceof Error && 'syscall' in error)
    return new SluiceError('storage', `${dirname(path)} cannot be created: ${error.message}`, {
      hint: HINTS.io,
      cause: error,
    })
  return error
}

const HINTS: Readonly<Record<StorageFailure['kind'], string>> = {
  full: 'Free some space, then `sluice resume`.',
  io: 'Check the permissions of the directory, or use another --data-dir.',
  busy: 'Another sluice is changing it: try again in a moment.',
  closed: 'Try again.',
}
