import { StorageFailure } from '../domain/storage-failure.ts'

/**
 * PostgreSQL's codes (https://www.postgresql.org/docs/current/errcodes-appendix.html) that say: the statement is right, but the database cannot.
 * A code of two characters stands for its class.
 */
const KINDS: ReadonlyMap<string, StorageFailure['kind']> = new Map([
  ['53100', 'full'], // disk_full
  ['53', 'io'], // out of memory, too many connections
  ['08', 'io'], // connection_exception
  ['28', 'io'], // invalid_authorization: of a connection that was fine before
  ['3D000', 'io'], // invalid_catalog_name: the database is not there, or not yet
  ['25006', 'io'], // read_only_sql_transaction: a standby, for now
  ['0A000', 'io'], // feature_not_supported: `begin read write` on a standby, and a prepared statement whose table has changed
  ['25P03', 'io'], // idle_in_transaction_session_timeout: the connection is gone
  ['57P01', 'io'], // admin_shutdown
  ['57P02', 'io'], // crash_shutdown
  ['57P03', 'io'], // cannot_connect_now
  ['57P04', 'io'], // database_dropped
  ['57P05', 'io'], // idle_session_timeout
  ['58', 'io'], // system_error
  ['XX001', 'io'], // data_corrupted
  ['XX002', 'io'], // index_corrupted
  ['55P03', 'busy'], // lock_not_available
  ['57014', 'busy'], // query_canceled: the statement time-out
  ['40001', 'busy'], // serialization_failure
  ['40P01', 'busy'], // deadlock_detected
])

/** Node's codes for a connection that could not be made, or broke. */
const NETWORK: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOENT',
])

/** What `pg` says of a connection that ended, in errors without a code. */
const ENDED = [
  'Connection terminated',
  'timeout expired',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'is not queryable',
  'connection timeout',
]

/** The failure of the database that `error` stands for; `null` when it is none (a broken constraint, a defect in a statement). */
export function storageFailure(error: unknown): StorageFailure | null {
  if (error instanceof StorageFailure) return error
  if (!(error instanceof Error)) return null
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null
  // No server speaks here: where several addresses were tried, the first one's refusal says why.
  const message = error instanceof AggregateError ? String(error.errors[0]?.message ?? code) : error.message
  if (code !== null && NETWORK.has(code)) return new StorageFailure('io', message, error)
  if (code === null && message.startsWith('Cannot use a pool after calling end'))
    return new StorageFailure('closed', 'the store is closed', error)
  if (code === null && ENDED.some((words) => message.includes(words))) return new StorageFailure('io', message, error)
  const kind = code === null ? undefined : (KINDS.get(code) ?? KINDS.get(code.slice(0, 2)))
  return kind === undefined ? null : new StorageFailure(kind, message, error)
}

/** Whether the transaction lost against another and may be run again at once. */
export function isConflict(error: unknown): boolean {
  const cause = error instanceof StorageFailure ? error.cause : error
  return cause instanceof Error && 'code' in cause && (cause.code === '40001' || cause.code === '40P01')
}
