import { StorageFailure } from '../domain/storage-failure.ts'
import { SluiceError } from '../errors.ts'

const HINTS: Readonly<Record<StorageFailure['kind'], string>> = {
  full: 'Free some space, then `sluice resume`.',
  io: 'Look after the disk or the database. What was committed is kept: go on with `sluice resume` when it is back.',
  busy: 'Others are at work on it: try again in a moment.',
  closed: 'Try again.',
}

/** The error of the catalogue that `error` is, or stands for: a store that fails in the middle of a command has no place to say so itself. */
export function knownError(error: unknown): SluiceError | null {
  if (error instanceof SluiceError) return error
  if (!(error instanceof StorageFailure)) return null
  const what = error.kind === 'full' ? 'the store has no room left' : 'the store does not answer as it should'
  return new SluiceError('storage', `${what}: ${error.message}`, { hint: HINTS[error.kind], cause: error })
}
