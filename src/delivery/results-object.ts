import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { BlobWriter } from '../blob/blob.ts'
import type { S3Bucket } from '../blob/s3-bucket.ts'
import { S3Failure } from '../blob/s3-failure.ts'
import { SluiceError } from '../errors.ts'
import { tellingApart } from './results-file.ts'

/** Parts of 32 MB: results of up to 320 GB, 64 MB of memory. */
const PART_BYTES = 32 * 1024 * 1024
/** Bytes of a finished file that are read at a time. */
const READ_BYTES = 1024 * 1024

/** An object that results are written to. */
export interface ResultsObject {
  readonly bucket: S3Bucket
  readonly key: string
}

/**
 * Writes text to an object, compressed where its key ends in `.gz`. The object appears only when all of it is written; what stood there before stays
 * until then, and no parts are left behind. Errors of `texts` are thrown as they are, those of object storage as `output_unwritable`.
 */
export async function writeTextObject(
  { bucket, key }: ResultsObject,
  texts: AsyncIterable<string>,
  signal?: AbortSignal,
): Promise<void> {
  await tellingApart(bucket.nameOf(key), texts, (items) =>
    upload(bucket, key, async (writer) => {
      const options = { ...(signal && { signal }) }
      const source = Readable.from(items)
      const sink = async (bytes: AsyncIterable<string | Buffer>) => {
        for await (const block of bytes) await writer.write(typeof block === 'string' ? Buffer.from(block) : block)
      }
      await (key.endsWith('.gz') ? pipeline(source, createGzip(), sink, options) : pipeline(source, sink, options))
    }),
  )
}

/** Lets `write` make a file of `items` in the system's folder for temporary files, and copies it to the object; else as `writeTextObject`. */
export async function writeOtherObject<T>(
  { bucket, key }: ResultsObject,
  items: AsyncIterable<T>,
  write: (temporary: string, items: AsyncIterable<T>) => Promise<unknown>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-results-'))
  const temporary = join(folder, 'results')
  try {
    await tellingApart(bucket.nameOf(key), items, async (watched) => {
      await write(temporary, watched)
      await upload(bucket, key, (writer) => copy(temporary, writer))
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function upload(bucket: S3Bucket, key: string, work: (writer: BlobWriter) => Promise<void>): Promise<void> {
  const writer = bucket.writer(key, PART_BYTES)
  try {
    try {
      await work(writer)
    } catch (error) {
      await writer.abort()
      throw error
    }
    await writer.close()
  } catch (error) {
    if (!(error instanceof S3Failure)) throw error
    throw new SluiceError('output_unwritable', error.message, { hint: error.hint, cause: error })
  }
}

async function copy(path: string, writer: BlobWriter): Promise<void> {
  const file = await open(path, 'r')
  const memory = Buffer.allocUnsafeSlow(READ_BYTES)
  try {
    for (;;) {
      const { bytesRead } = await file.read(memory, 0, memory.length)
      if (bytesRead === 0) return
      await writer.write(memory.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
