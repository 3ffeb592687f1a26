import type { CompletedPart } from '@aws-sdk/client-s3'
import type { BlobWriter } from './blob.ts'
import type { S3Client } from './s3-client.ts'
import { S3Failure, signsOf } from './s3-failure.ts'

/** S3 takes no more parts than this. */
const MOST_PARTS = 10_000

/** Writes the whole object. */
export async function putS3(client: S3Client, key: string, bytes: Uint8Array): Promise<void> {
  await client.send(key, 'be written', (s3, { PutObjectCommand }) =>
    s3.send(new PutObjectCommand({ ...target(client, key), ...encryption(client), Body: bytes })),
  )
}

/**
 * A writer whose object appears when it is closed: in one request where it fits into one part, by a multipart upload else. One part is sent while
 * the next is gathered, so that memory holds two. `partBytes` bounds the object: 10,000 parts, of at least 5 MB.
 */
export function createS3Writer(client: S3Client, key: string, partBytes: number): BlobWriter {
  let gathered: Buffer[] = []
  let bytes = 0
  let written = 0
  let upload: Promise<string> | null = null
  let aborted = false
  let sending: Promise<void> = Promise.resolve()
  const parts: CompletedPart[] = []

  /** Sends what is gathered as the next part, once the one before is through. */
  const send = async () => {
    const body = Buffer.concat(gathered, bytes)
    gathered = []
    bytes = 0
    await sending
    // Given up while a write was under way: no upload may begin that nobody would end.
    if (aborted) throw new S3Failure('refused', `${client.nameOf(key)} was given up`, 'Write it anew.')
    if (parts.length === MOST_PARTS) {
      throw new S3Failure(
        'refused',
        `${client.nameOf(key)} cannot be written: it would be larger than ${MOST_PARTS} parts of ${partBytes} bytes`,
        'Write it in several objects, or to a file.',
      )
    }
    upload ??= beginUpload(client, key)
    const number = parts.length + 1
    const part: CompletedPart = { PartNumber: number }
    parts.push(part)
    sending = sendPart(client, key, await upload, part, body)
    // It is awaited with the next part, or at the end.
    sending.catch(() => undefined)
  }

  return Object.freeze({
    async write(more: Uint8Array) {
      for (let at = 0; at < more.length; ) {
        const taken = more.subarray(at, at + partBytes - bytes)
        // The caller may use its memory again.
        gathered.push(Buffer.from(taken))
        bytes += taken.length
        at += taken.length
        written += taken.length
        if (bytes === partBytes) await send()
      }
    },
    async close() {
      if (upload === null) return putS3(client, key, Buffer.concat(gathered, bytes))
      const id = await upload
      try {
        if (bytes > 0) await send()
        await sending
        await completeUpload(client, key, id, parts, written)
      } catch (error) {
        await abortUpload(client, key, id)
        throw error
      }
    },
    async abort() {
      aborted = true
      gathered = []
      await sending.catch(() => undefined)
      const id = await upload?.catch(() => null)
      if (id !== null && id !== undefined) await abortUpload(client, key, id)
    },
  })
}

/** Gives up an upload. Its parts cost money until the bucket's own rule removes them; the first failure is the one to tell, not this one's. */
export async function abortUpload(client: S3Client, key: string, id: string): Promise<void> {
  await client
    .send(key, 'be given up', (s3, { AbortMultipartUploadCommand }) =>
      s3.send(new AbortMultipartUploadCommand({ ...target(client, key), UploadId: id })),
    )
    .catch(() => undefined)
}

async function beginUpload(client: S3Client, key: string): Promise<string> {
  const { UploadId } = await client.send(key, 'be written', (s3, { CreateMultipartUploadCommand }) =>
    s3.send(new CreateMultipartUploadCommand({ ...target(client, key), ...encryption(client) })),
  )
  return UploadId as string
}

async function sendPart(client: S3Client, key: string, id: string, part: CompletedPart, body: Buffer): Promise<void> {
  const { PartNumber } = part
  const sent = await client.send(key, 'be written', (s3, { UploadPartCommand }) =>
    s3.send(new UploadPartCommand({ ...target(client, key), UploadId: id, PartNumber, Body: body })),
  )
  part.ETag = sent.ETag
  if (sent.ChecksumCRC32 !== undefined) part.ChecksumCRC32 = sent.ChecksumCRC32
}

async function completeUpload(
  client: S3Client,
  key: string,
  id: string,
  parts: readonly CompletedPart[],
  bytes: number,
): Promise<void> {
  const object = target(client, key)
  await client.send(key, 'be written', async (s3, { CompleteMultipartUploadCommand, HeadObjectCommand }) => {
    try {
      await s3.send(
        new CompleteMultipartUploadCommand({ ...object, UploadId: id, MultipartUpload: { Parts: [...parts] } }),
      )
    } catch (error) {
      // A first answer that got lost: the SDK asked again, and the upload was completed already.
      if (!(error instanceof Error) || signsOf(error).name !== 'NoSuchUpload') throw error
      const found = await s3.send(new HeadObjectCommand(object))
      if (found.ContentLength !== bytes || found.ETag?.replaceAll('"', '').endsWith(`-${parts.length}`) !== true) {
        throw error
      }
    }
  })
}

function target(client: S3Client, key: string) {
  return { Bucket: client.access.bucket, Key: key }
}

function encryption({ access }: S3Client) {
  if (access.encryption === null) return {}
  const { algorithm, kmsKey } = access.encryption
  return { ServerSideEncryption: algorithm, ...(kmsKey !== null && { SSEKMSKeyId: kmsKey }) }
}
