import type { BlobWriter } from './blob.ts'
import { type Env, type S3Access, s3Access } from './s3-access.ts'
import { createS3Client } from './s3-client.ts'
import { listS3, lookAtS3, type S3Object } from './s3-object.ts'
import { readS3, type S3Reading, streamS3 } from './s3-read.ts'
import { removeS3 } from './s3-remove.ts'
import { parseS3Url } from './s3-url.ts'
import { createS3Writer, putS3 } from './s3-writer.ts'

/** Parts of 8 MB: objects of up to 80 GB, 16 MB of memory a writer. */
const PART_BYTES = 8 * 1024 * 1024

/** One bucket of object storage, its keys as they are. Everything that fails for good rejects with an S3Failure; aborts reject with the signal's reason. */
export interface S3Bucket {
  /** `s3://bucket/key`, for people. */
  nameOf(key: string): string
  /** `null`: there is none. */
  look(key: string): Promise<S3Object | null>
  /** The object, or exactly a range of it that is not empty. Rejects as `missing` or, with an etag, `changed`. */
  read(key: string, reading?: S3Reading): Promise<Buffer>
  /** The bytes from an offset up to `bytes`, in blocks of at most `blockBytes`, 8 MB by default; rejects as `changed` when it is replaced meanwhile. */
  stream(object: Pick<S3Object, 'key' | 'bytes' | 'etag'>, from?: number, blockBytes?: number): AsyncIterable<Buffer>
  put(key: string, bytes: Uint8Array): Promise<void>
  /** `partBytes`: memory is twice that, the object 10,000 times at most; 8 MB by default. */
  writer(key: string, partBytes?: number): BlobWriter
  /** Objects whose keys begin with `prefix`, sorted by the bytes of their keys. */
  list(prefix: string): AsyncIterable<S3Object>
  /** Removes what `list` names and `chosen` takes, and gives up uploads below `prefix` that nobody completed. */
  removeAll(prefix: string, chosen: (key: string) => boolean): Promise<void>
  /** Closes the sockets. */
  close(): void
}

/** Opens a bucket by its name, where the environment says; nothing is sent before the first request. Throws `usage` as `s3Access` does. */
export function openS3BucketOf(bucket: string, env: Env): S3Bucket {
  return openS3Bucket(s3Access(parseS3Url(`s3://${bucket}`, 'the address'), env))
}

/** Opens a bucket; nothing is sent before the first request. */
export function openS3Bucket(access: S3Access): S3Bucket {
  const client = createS3Client(access)
  return Object.freeze({
    nameOf: client.nameOf,
    look: (key: string) => lookAtS3(client, key),
    read: (key: string, reading?: S3Reading) => readS3(client, key, reading),
    stream: (object: Pick<S3Object, 'key' | 'bytes' | 'etag'>, from?: number, blockBytes?: number) =>
      streamS3(client, object.key, object, from, blockBytes),
    put: (key: string, bytes: Uint8Array) => putS3(client, key, bytes),
    writer: (key: string, partBytes = PART_BYTES) => createS3Writer(client, key, partBytes),
    list: (prefix: string) => listS3(client, prefix),
    removeAll: (prefix: string, chosen: (key: string) => boolean) => removeS3(client, prefix, chosen),
    close: client.close,
  })
}
