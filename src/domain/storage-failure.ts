/** The database could not do its work: full, locked by somebody else for too long, gone, or closed. */
export class StorageFailure extends Error {
  readonly kind: 'full' | 'busy' | 'io' | 'closed'

  constructor(kind: 'full' | 'busy' | 'io' | 'closed', message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StorageFailure'
    this.kind = kind
  }
}
