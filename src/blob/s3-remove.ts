import type { S3Client } from './s3-client.ts'
import { S3Failure } from './s3-failure.ts'
import { listS3 } from './s3-object.ts'
import { abortUpload } from './s3-writer.ts'

/** What one request removes at most, by S3's own bound. */
const BATCH = 1_000
/** Single removals under way at once. */
const AT_ONCE = 16

/** Removes the objects below `prefix` that `chosen` takes, a thousand a request, and then the uploads there that nobody completed. */
export async function removeS3(client: S3Client, prefix: string, chosen: (key: string) => boolean): Promise<void> {
  let batch: string[] = []
  for await (const { key } of listS3(client, prefix)) {
    if (!chosen(key)) continue
    batch.push(key)
    if (batch.length < BATCH) continue
    await removeBatch(client, batch)
    batch = []
  }
  if (batch.length > 0) await removeBatch(client, batch)
  await giveUpUploads(client, prefix, chosen)
}

async function removeBatch(client: S3Client, keys: readonly string[]): Promise<void> {
  const [first = ''] = keys
  if (keys.length === 1) return removeOne(client, first)
  let left: readonly string[]
  try {
    const { Errors = [] } = await client.send(first, 'be removed', (s3, { DeleteObjectsCommand }) =>
      s3.send(
        new DeleteObjectsCommand({
          Bucket: client.access.bucket,
          Delete: { Objects: keys.map((key) => ({ Key: key })), Quiet: true },
        }),
      ),
    )
    left = Errors.flatMap(({ Key }) => (Key === undefined ? [] : [Key]))
  } catch (error) {
    // Some servers know no such request, or want another checksum with it.
    if (!(error instanceof S3Failure) || error.trouble !== 'refused') throw error
    left = keys
  }
  // One by one: what fails then says why.
  for (let at = 0; at < left.length; at += AT_ONCE) {
    await Promise.all(left.slice(at, at + AT_ONCE).map((key) => removeOne(client, key)))
  }
}

async function removeOne(client: S3Client, key: string): Promise<void> {
  await client.send(key, 'be removed', (s3, { DeleteObjectCommand }) =>
    s3.send(new DeleteObjectCommand({ Bucket: client.access.bucket, Key: key })),
  )
}

/** The parts of processes that died. Who may not see them, or whose server does not list them, has the bucket's own rule for that. */
async function giveUpUploads(client: S3Client, prefix: string, chosen: (key: string) => boolean): Promise<void> {
  try {
    const { Uploads = [] } = await client.send(prefix, 'be listed', (s3, { ListMultipartUploadsCommand }) =>
      s3.send(new ListMultipartUploadsCommand({ Bucket: client.access.bucket, Prefix: prefix })),
    )
    for (const { Key, UploadId } of Uploads) {
      if (Key !== undefined && UploadId !== undefined && chosen(Key)) await abortUpload(client, Key, UploadId)
    }
  } catch (error) {
    if (!(error instanceof S3Failure) || error.trouble === 'unreachable') throw error
  }
}
