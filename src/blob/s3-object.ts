import type { S3Client } from './s3-client.ts'
import { S3Failure } from './s3-failure.ts'

/** An object as it stood when it was looked at. */
export interface S3Object {
  readonly key: string
  readonly bytes: number
  readonly etag: string
  readonly modifiedMs: number
}

/** The object at a key; `null`: there is none. */
export async function lookAtS3(client: S3Client, key: string): Promise<S3Object | null> {
  try {
    const found = await client.send(key, 'be looked at', (s3, { HeadObjectCommand }) =>
      s3.send(new HeadObjectCommand({ Bucket: client.access.bucket, Key: key })),
    )
    return {
      key,
      bytes: found.ContentLength ?? 0,
      etag: found.ETag ?? '',
      modifiedMs: found.LastModified?.getTime() ?? 0,
    }
  } catch (error) {
    if (error instanceof S3Failure && error.trouble === 'missing') return null
    throw error
  }
}

/** Objects whose keys begin with `prefix`, sorted by the bytes of their keys, a thousand a request. */
export async function* listS3(client: S3Client, prefix: string): AsyncGenerator<S3Object> {
  const { bucket } = client.access
  let token: string | undefined
  do {
    const page = await client.send(prefix, 'be listed', (s3, { ListObjectsV2Command }) =>
      s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(token && { ContinuationToken: token }) })),
    )
    for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
      yield { key: Key ?? '', bytes: Size ?? 0, etag: ETag ?? '', modifiedMs: LastModified?.getTime() ?? 0 }
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (token !== undefined)
}
