import type { S3Bucket } from '../blob/s3-bucket.ts'
import { S3Failure } from '../blob/s3-failure.ts'
import type { S3Object } from '../blob/s3-object.ts'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'
import { type DistantFile, fetchToDisk } from './fetched-file.ts'
import { BLOCK_BYTES, type FoundFile } from './input-file.ts'

/** An object as a file of the input. `hash` is made of its ETag: nothing is fetched for it. Whatever is read is of the object that was found, or throws `input_changed`. */
export function s3File(bucket: S3Bucket, object: S3Object): FoundFile {
  const name = bucket.nameOf(object.key)
  const distant: DistantFile = {
    name,
    bytes: object.bytes,
    read: (from) => bucket.stream(object, from),
    tail: () => bucket.read(object.key, { range: { offset: object.bytes - 8, length: 8 }, etag: object.etag }),
  }
  return Object.freeze({
    name,
    bytes: object.bytes,
    async *read(from: number) {
      try {
        for await (const block of bucket.stream(object, from)) {
          for (let at = 0; at < block.length; at += BLOCK_BYTES) yield block.subarray(at, at + BLOCK_BYTES)
        }
      } catch (error) {
        throw asInputError(error)
      }
    },
    async identity() {
      const now = await bucket.look(object.key).catch((error: unknown) => {
        throw asInputError(error)
      })
      return [name, now?.bytes ?? null, now?.etag ?? null]
    },
    hash: async () => sha256(object.etag),
    onDisk: (part: 'end' | 'all', signal?: AbortSignal) =>
      fetchToDisk(distant, part, signal).catch((error: unknown) => {
        throw asInputError(error)
      }),
  })
}

/** What a failure of object storage means for an input: only what the input itself is to blame for ends a job. */
export function asInputError(error: unknown): unknown {
  if (!(error instanceof S3Failure)) return error
  const code = error.trouble === 'missing' ? 'input_missing' : error.trouble === 'changed' ? 'input_changed' : 'storage'
  return new SluiceError(code, error.message, { hint: error.hint, cause: error })
}
