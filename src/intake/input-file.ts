/** Bytes that `read` gives at a time: what is made of them is garbage before the next, and never lives long enough to be costly. */
export const BLOCK_BYTES = 64 * 1024

/** One file of the input as it was when it was looked for, wherever it lies. */
export interface FoundFile {
  /** As people know it: relative to the spec where it lies below it, or its address. */
  readonly name: string
  readonly bytes: number
  /** Bytes that it may come to when it is unpacked; absent: any number. */
  readonly unpackedBytes?: number | undefined
  /**
   * The bytes from an offset on, in blocks of at most `BLOCK_BYTES`; a block is good until the next is asked for. Throws `input_missing` where it
   * cannot be opened, and, where that can be told, `input_changed` when it is not the same file any more.
   */
  read(from: number): AsyncIterable<Buffer>
  /** Another value when it changed, or is gone: looked at anew with each call. */
  identity(): Promise<unknown>
  /** A hash (hex) of its content. */
  hash(signal?: AbortSignal): Promise<string>
  /** Puts it, or at least its end, where a library finds it that reads nothing but files. */
  onDisk(part: 'end' | 'all', signal?: AbortSignal): Promise<DiskFile>
}

/** A file on this machine's disk. */
export interface DiskFile {
  readonly path: string
  /** Removes it, where it is a copy. */
  release(): Promise<void>
}
