import { StorageFailure } from '../domain/storage-failure.ts'
import { SluiceError } from '../errors.ts'

/** What is wrong, by PostgreSQL's code or by words of the driver or of a pooler, and what the user can do about it. */
const CURES: readonly { readonly code?: string; readonly words?: RegExp; readonly hint: string }[] = [
  {
    code: '42501', // insufficient_privilege
    hint: 'Workers make partitions as time goes on: let one user `sluice migrate` and work, who may create schemas in the database, or owns the schemas `sluice` and `sluice_queue`.',
  },
  { code: '28P01', hint: 'Check user and password in SLUICE_DATABASE_URL.' }, // invalid_password
  {
    words: /client password must be a/,
    hint: 'The server wants a password, and SLUICE_DATABASE_URL has none: postgres://user:password@host/database.',
  },
  { code: '3D000', hint: 'Create the database first, or name another one in SLUICE_DATABASE_URL.' }, // invalid_catalog_name
  {
    words: /does not support SSL/,
    hint: 'Take sslmode out of SLUICE_DATABASE_URL, or switch SSL on at the server.',
  },
  {
    words: /during recovery|read-only transaction/,
    hint: 'The server is a standby, or takes no writes at the moment: SLUICE_DATABASE_URL must lead to the primary.',
  },
  {
    words: /unsupported startup parameter/,
    hint: 'A pooler such as PgBouncer stands in between, and sluice keeps locks and settings on its connections: SLUICE_DATABASE_URL must lead to the server itself.',
  },
]

/**
 * The error for a user whose database does not let sluice in, or not do its work: with what the server or the driver says, and never the URL, which
 * holds a password. What has nothing to do with the database comes back as it is.
 */
export function refusal(error: unknown): unknown {
  const cause = error instanceof StorageFailure && error.cause instanceof Error ? error.cause : error
  if (cause instanceof SluiceError || !(cause instanceof Error)) return cause
  const code = 'code' in cause ? cause.code : undefined
  const cure = CURES.find((one) => (one.code !== undefined ? one.code === code : one.words?.test(cause.message)))
  if (cure === undefined && !(error instanceof StorageFailure) && code === undefined) return error
  const said = error instanceof StorageFailure ? error.message : cause.message
  return new SluiceError('storage', `the database cannot be used: ${said}`, {
    hint: cure?.hint ?? 'Check SLUICE_DATABASE_URL, and that the server is up.',
    cause: error,
  })
}
