/** A file that somebody uploads, or uploaded: of a job that waits for its input, or of the OpenAI-compatible routes. */
export interface StoredFile {
  /** `file_` + UUIDv7. */
  readonly id: string
  readonly tenantNo: number
  /** `input`: of a job. The others are OpenAI's words. */
  readonly purpose: FilePurpose
  /** As the sender calls it; its ending tells the format. */
  readonly name: string
  /** `open`: bytes are missing · `ready`: whole and checked · `refused`: it did not pass the check, and `note` says why. */
  readonly state: 'open' | 'ready' | 'refused'
  /** Bytes that are there, in order and without a gap. */
  readonly bytes: number
  /** sha-256 (hex) of all of it; `null` until it is whole. */
  readonly sha256: string | null
  readonly note: string | null
  readonly createdAtMs: number
  /** `null`: it stays until it is deleted. */
  readonly expiresAtMs: number | null
}

export type FilePurpose = 'input' | 'batch' | 'batch_output' | 'user_data'

/** A piece of a file, as it was sent: an object of the blob store. */
export interface FilePart {
  /** Where in the file it begins. */
  readonly offset: number
  readonly bytes: number
  readonly blobKey: string
}
