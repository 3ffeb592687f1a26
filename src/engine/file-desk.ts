import type { FilePurpose, StoredFile } from '../domain/stored-file.ts'
import type { FoundFile } from '../intake/input-file.ts'
import type { FilePage } from '../store/role/files.ts'

export interface NewFile {
  /** `file_` + UUIDv7. */
  readonly id: string
  readonly purpose: FilePurpose
  readonly name: string
  readonly expiresAtMs: number | null
}

/** Bytes `from` (inclusive) to `to` (exclusive). */
export interface FileRange {
  readonly from: number
  readonly to: number
}

/** What a file must be before it counts. */
export interface Expected {
  readonly bytes: number | null
  /** Hex. */
  readonly sha256: string | null
  /** Looks at the whole; a SluiceError that it throws refuses the file, unless it tells of a failure of ours (status 500 and up). */
  readonly check?: (file: FoundFile) => Promise<void>
}

/** Files that come over the network, of one tenant. What was received stays received: a sender whose connection breaks goes on where it ended. */
export interface FileDesk {
  /** The same id again adds nothing, and gives the file as it stands. */
  add(file: NewFile): Promise<StoredFile>
  /** Throws SluiceError `file_not_found`. */
  get(id: string): Promise<StoredFile>
  list(page: FilePage): Promise<readonly StoredFile[]>
  /**
   * Appends what comes, from `offset` on, which must be where the file ends; returns when it is durable. Where the sender breaks off, or the signal
   * aborts, all that has come is kept, and the error is thrown. Memory does not grow with what comes. Whoever else is sending the same file is stopped
   * first. Throws `file_state` (it is whole, or ends elsewhere, or another sender has come), `file_too_large` past `maxBytes`.
   */
  append(
    id: string,
    offset: number,
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly maxBytes: number; readonly signal: AbortSignal },
  ): Promise<StoredFile>
  /**
   * Says that the file is whole. Throws `file_state`, and `file_mismatch` or what its check throws: then it is `refused`, and `reopen` makes it empty
   * again.
   */
  finish(id: string, expected: Expected): Promise<StoredFile>
  /** Changes when the file runs out; `null`: it stays until it is deleted. Throws `file_not_found`. */
  expireAt(id: string, atMs: number | null): Promise<StoredFile>
  /** Refuses a file that is not whole; `note` says why. */
  refuse(id: string, note: string): Promise<void>
  /** Makes a file that was refused, or is not whole, empty again. Whoever is sending it is stopped first. */
  reopen(id: string): Promise<StoredFile>
  /** Bytes of the file, as they are asked for. Throws `file_not_found`. */
  read(id: string, range?: FileRange): AsyncIterable<Buffer>
  /** Throws `file_not_found`. */
  remove(id: string): Promise<void>
}
