import type { Readable } from 'node:stream'
import { IDLE_MS, type S3Client } from './s3-client.ts'
import { asS3Failure, S3Failure } from './s3-failure.ts'

/** Tries of one range whose body breaks off: the SDK repeats requests, and not bodies. */
const BODY_TRIES = 4
/** What `streamS3` asks for at a time: little at first, since many a reader wants to see the beginning only. */
const FIRST_BYTES = 512 * 1024
const MOST_BYTES = 8 * 1024 * 1024

export interface S3Range {
  readonly offset: number
  readonly length: number
}

export interface S3Reading {
  readonly range?: S3Range
  /** Rejects as `changed` where the object has another one by now. */
  readonly etag?: string
  readonly signal?: AbortSignal
}

/** The object, or exactly the range of it that is asked for, which must not be empty. Rejects as `missing` where it is not there in full. */
export async function readS3(client: S3Client, key: string, reading: S3Reading = {}): Promise<Buffer> {
  for (let tries = 1; ; tries++) {
    const body = await openBody(client, key, reading)
    const bytes = await collect(body).catch((error: unknown) => {
      if (tries >= BODY_TRIES || reading.signal?.aborted) {
        throw asS3Failure(error, client.access, client.nameOf(key), 'be read to its end')
      }
      return null
    })
    if (bytes === null) continue
    if (reading.range === undefined || bytes.length === reading.range.length) return bytes
    throw new S3Failure(
      'missing',
      `${client.nameOf(key)} ends before byte ${reading.range.offset + reading.range.length}`,
      'The object was cut off or replaced.',
    )
  }
}

/**
 * The bytes of an object from an offset up to `object.bytes`, by one ranged request after the other, of which the next is under way while one is
 * worked on: a connection that breaks costs one range, and memory holds two. Every range must be of the object with that etag.
 */
export async function* streamS3(
  client: S3Client,
  key: string,
  object: { readonly bytes: number; readonly etag: string },
  from = 0,
  blockBytes = MOST_BYTES,
): AsyncGenerator<Buffer> {
  const leaving = new AbortController()
  let [offset, step] = [from, Math.min(FIRST_BYTES, blockBytes)]
  const next = (): Promise<Buffer> | null => {
    const length = Math.min(step, object.bytes - offset)
    if (length <= 0) return null
    const range = { offset, length }
    offset += length
    step = Math.min(step * 4, blockBytes)
    const coming = readS3(client, key, { range, etag: object.etag, signal: leaving.signal })
    // It is looked at later; until then a failure must not count as unhandled.
    coming.catch(() => undefined)
    return coming
  }
  try {
    const first = next()
    if (first !== null) yield await first
    // Not before somebody asked for more.
    let coming = next()
    while (coming !== null) {
      const bytes = await coming
      coming = next()
      yield bytes
    }
  } finally {
    leaving.abort()
  }
}

async function openBody(client: S3Client, key: string, { range, etag, signal }: S3Reading): Promise<Readable> {
  const answer = await client.send(key, 'be read', (s3, { GetObjectCommand }) =>
    s3.send(
      new GetObjectCommand({
        Bucket: client.access.bucket,
        Key: key,
        ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
        ...(etag && { IfMatch: etag }),
      }),
      { ...(signal && { abortSignal: signal }) },
    ),
  )
  return answer.Body as Readable
}

async function collect(body: Readable): Promise<Buffer> {
  // The socket's own time-out: the SDK's ends where the body begins.
  const { setTimeout } = body as { setTimeout?: (ms: number, expired: () => void) => void }
  setTimeout?.call(body, IDLE_MS, () => body.destroy(new Error(`no bytes came for ${IDLE_MS / 1000} s`)))
  const parts: Buffer[] = []
  for await (const part of body) parts.push(part as Buffer)
  return Buffer.concat(parts)
}
