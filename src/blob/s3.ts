import { StorageFailure } from '../domain/storage-failure.ts'
import { type Blob, BlobMissing, type BlobPart, type BlobWriter } from './blob.ts'
import { blobKey, isBlobKey } from './blob-key.ts'
import { type Env, s3Access } from './s3-access.ts'
import { openS3Bucket, type S3Bucket } from './s3-bucket.ts'
import { S3Failure } from './s3-failure.ts'
import { createReadAhead } from './s3-read-ahead.ts'
import { parseS3Url } from './s3-url.ts'

/** Blobs in a bucket, and what closes its sockets. */
export interface S3Blob extends Blob {
  close(): void
}

/**
 * Blobs as objects below the prefix of `url` (see `parseS3Url`), on AWS or any server that speaks S3. Keys are found as the AWS SDK finds them. What
 * object storage refuses, or where it cannot be reached after the SDK's retries, is thrown as `StorageFailure` that names bucket, endpoint and what
 * to do. `name` says what holds the address. Throws SluiceError `usage` for an address that cannot be meant; sends nothing yet.
 */
export function openS3Blob(options: { readonly url: string; readonly env: Env; readonly name?: string }): S3Blob {
  const url = parseS3Url(options.url, options.name ?? 'SLUICE_BLOB_URL')
  const bucket = openS3Bucket(s3Access(url, options.env))
  const below = url.path === '' ? '' : `${url.path}/`
  const ahead = createReadAhead()
  const place = (key: string) => below + blobKey(key)
  const owned = (full: string) => isBlobKey(full.slice(below.length))

  return Object.freeze({
    async put(key: string, bytes: Uint8Array) {
      const full = place(key)
      await onS3(() => bucket.put(full, bytes))
      ahead.forget(full)
    },
    writer: async (key: string) => openWriter(bucket, place(key), ahead.forget),
    read: async (key: string, range?: { readonly offset: number; readonly length: number }) =>
      onS3(() => readObject(bucket, key, place(key), range, ahead.read)),
    stream: (key: string, part?: BlobPart) => streamObject(bucket, key, place(key), part ?? {}),
    size: async (key: string) => onS3(async () => (await bucket.look(place(key)))?.bytes ?? null),
    async *list(prefix: string) {
      for await (const { key } of guarded(bucket.list(below + prefix))) {
        if (owned(key)) yield key.slice(below.length)
      }
    },
    async removeAll(prefix: string) {
      await onS3(() => bucket.removeAll(below + prefix, owned))
      ahead.forget(below + prefix)
    },
    close: bucket.close,
  })
}

function openWriter(bucket: S3Bucket, full: string, replaced: (key: string) => void): BlobWriter {
  const writer = bucket.writer(full)
  return Object.freeze({
    write: (bytes: Uint8Array) => onS3(() => writer.write(bytes)),
    async close() {
      await onS3(() => writer.close())
      replaced(full)
    },
    abort: () => onS3(() => writer.abort()),
  })
}

type ReadRange = ReturnType<typeof createReadAhead>['read']

async function readObject(
  bucket: S3Bucket,
  key: string,
  full: string,
  range: { readonly offset: number; readonly length: number } | undefined,
  readRange: ReadRange,
): Promise<Buffer> {
  if (range !== undefined && (range.offset < 0 || range.length < 0)) throw new BlobMissing(key)
  try {
    if (range === undefined) return await bucket.read(full)
    if (range.length > 0) return await readRange(bucket, full, range)
  } catch (error) {
    if (error instanceof S3Failure && error.trouble === 'missing') throw new BlobMissing(key)
    throw error
  }
  // HTTP knows no empty range.
  const found = await bucket.look(full)
  if (found === null || range.offset > found.bytes) throw new BlobMissing(key)
  return Buffer.alloc(0)
}

async function* streamObject(bucket: S3Bucket, key: string, full: string, part: BlobPart): AsyncGenerator<Buffer> {
  const object = await onS3(() => bucket.look(full))
  const { from = 0, to = object?.bytes ?? 0, blockBytes } = part
  if (object === null || to > object.bytes) throw new BlobMissing(key)
  yield* guarded(bucket.stream({ ...object, bytes: to }, from, blockBytes))
}

async function* guarded<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* items
  } catch (error) {
    throw asStorageFailure(error)
  }
}

async function onS3<T>(work: () => Promise<T>): Promise<T> {
  return work().catch((error: unknown) => {
    throw asStorageFailure(error)
  })
}

function asStorageFailure(error: unknown): unknown {
  return error instanceof S3Failure ? new StorageFailure('io', `${error.message}. ${error.hint}`, error) : error
}
