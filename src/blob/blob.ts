/** Immutable objects by key: snapshot segments, reports. Keys are `/`-separated, lower case, without `..`. */
export interface Blob {
  /** Writes the whole object or nothing; an object that exists is replaced in one step. Durable when it returns. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** A writer whose object appears at `key`, durably, only when `close` returns; `abort` leaves nothing behind. */
  writer(key: string): Promise<BlobWriter>
  /** The bytes of the object, or of its range. Throws `BlobMissing` where there is none, or where the range lies outside. */
  read(key: string, range?: { readonly offset: number; readonly length: number }): Promise<Buffer>
  /** The object, or a part of it, as a stream of buffers. Throws `BlobMissing` where there is none, or where it is shorter than `to`. */
  stream(key: string, part?: BlobPart): AsyncIterable<Buffer>
  /** Size in bytes; `null` where there is none. */
  size(key: string): Promise<number | null>
  /** Keys that begin with `prefix`, sorted. */
  list(prefix: string): AsyncIterable<string>
  /** Removes all objects below `prefix`; none there is no error. */
  removeAll(prefix: string): Promise<void>
}

/** Which bytes of an object are streamed, and how many are held in memory meanwhile. */
export interface BlobPart {
  /** @default 0 */
  readonly from?: number
  /** Where to end, exclusive. @default the object's end */
  readonly to?: number
  /** Bytes that are fetched at a time: memory holds two such blocks, however slow the reader. @default what is fastest */
  readonly blockBytes?: number
}

export interface BlobWriter {
  write(bytes: Uint8Array): Promise<void>
  /** Makes the object visible and durable. */
  close(): Promise<void>
  abort(): Promise<void>
}

/** There is no object at the key, or it is shorter than the range asked for. */
export class BlobMissing extends Error {
  readonly key: string
  constructor(key: string) {
    super(`no object at ${key}`)
    this.name = 'BlobMissing'
    this.key = key
  }
}
