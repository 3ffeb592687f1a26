import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Bucket } from '../blob/s3-bucket.ts'
import { S3Failure } from '../blob/s3-failure.ts'
import type { S3Object } from '../blob/s3-object.ts'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'
import { BLOCK_BYTES, type DiskFile, type FoundFile } from './input-file.ts'

/** What of an object's end is fetched where only that is needed: a Parquet file says there what it holds. */
const END_BYTES = 256 * 1024

/** An object as a file of the input. `hash` is made of its ETag: nothing is fetched for it. Whatever is read is of the object that was found, or throws `input_changed`. */
export function s3File(bucket: S3Bucket, object: S3Object): FoundFile {
  const name = bucket.nameOf(object.key)
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
    onDisk: (part: 'end' | 'all', signal?: AbortSignal) => fetched(bucket, object, part, signal),
  })
}

/** What a failure of object storage means for an input: only what the input itself is to blame for ends a job. */
export function asInputError(error: unknown): unknown {
  if (!(error instanceof S3Failure)) return error
  const code = error.trouble === 'missing' ? 'input_missing' : error.trouble === 'changed' ? 'input_changed' : 'storage'
  return new SluiceError(code, error.message, { hint: error.hint, cause: error })
}

/** A copy of the object, or a file of its size that holds nothing but its end and takes no more room than that. */
async function fetched(
  bucket: S3Bucket,
  object: S3Object,
  part: 'end' | 'all',
  signal: AbortSignal | undefined,
): Promise<DiskFile> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-input-'))
  const path = join(folder, 'object')
  const release = () => rm(folder, { recursive: true, force: true })
  try {
    const file = await open(path, 'w')
    try {
      await file.truncate(object.bytes)
      let at = part === 'all' ? 0 : Math.max(0, object.bytes - (await endBytes(bucket, object)))
      for await (const block of bucket.stream(object, at)) {
        signal?.throwIfAborted()
        at += (await file.write(block, 0, block.length, at)).bytesWritten
      }
    } finally {
      await file.close()
    }
    return Object.freeze({ path, release })
  } catch (error) {
    await release()
    throw notFetched(bucket, object, error)
  }
}

/** By the length that a Parquet file gives of its footer, where that is longer than what is usual. */
async function endBytes(bucket: S3Bucket, { key, bytes, etag }: S3Object): Promise<number> {
  if (bytes < 8) return bytes
  const tail = await bucket.read(key, { range: { offset: bytes - 8, length: 8 }, etag })
  return Math.max(END_BYTES, tail.readUInt32LE(0) + 8)
}

function notFetched(bucket: S3Bucket, object: S3Object, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined || error instanceof SluiceError) return asInputError(error)
  const what = `${bucket.nameOf(object.key)}, of ${object.bytes} bytes, cannot be copied to ${tmpdir()}: ${message}`
  return new SluiceError('storage', what, {
    hint: 'Make room there, or set TMPDIR to a folder with more.',
    cause: error,
  })
}
