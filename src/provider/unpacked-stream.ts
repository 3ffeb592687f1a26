import { pipeline, type Readable } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'

const UNPACK: Readonly<Record<string, () => NodeJS.ReadWriteStream & AsyncIterable<Buffer>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
}

/** Undoes encodings that were applied although none was asked for, while the body comes. An unknown one is left as it is; errors come out of the result. */
export function unpackedStream(packed: Readable, encoding: string | undefined): AsyncIterable<Buffer> {
  let plain: NodeJS.ReadableStream & AsyncIterable<Buffer> = packed
  for (const name of encoding?.toLowerCase().split(',').reverse() ?? []) {
    const undo = UNPACK[name.trim()]
    // The last stream carries the error on to whoever reads it.
    if (undo !== undefined) plain = pipeline(plain, undo(), () => undefined)
  }
  return plain
}
