import { matchesGlob, posix } from 'node:path'
import type { Env } from '../blob/s3-access.ts'
import { openS3BucketOf, type S3Bucket } from '../blob/s3-bucket.ts'
import type { S3Object } from '../blob/s3-object.ts'
import { isBucketName } from '../blob/s3-url.ts'
import { SluiceError } from '../errors.ts'
import { didYouMean } from '../spec/nearest.ts'
import type { FoundFile } from './input-file.ts'
import { asInputError, s3File } from './s3-file.ts'

/** Neighbours that are looked at for the nearest name. */
const NEIGHBOURS = 1_000

/**
 * The objects that `s3://bucket/key` names: one, those that a glob matches, or, where it ends in a slash, all below; sorted by key. A key that exists
 * is never taken for a glob. Server, region and keys come from the environment. Throws `input_missing` with the nearest name, `input_invalid`
 * for an address that cannot be meant, `storage` where object storage does not answer or refuses.
 */
export async function findObjects(source: string, env: Env): Promise<readonly FoundFile[]> {
  const { name, pattern } = parsed(source)
  const bucket = openS3BucketOf(name, env)
  try {
    const found = await search(bucket, pattern)
    if (found.length === 0) throw await missing(bucket, source, pattern)
    return found.map((object) => s3File(bucket, object))
  } catch (error) {
    throw asInputError(error)
  }
}

function parsed(source: string): { readonly name: string; readonly pattern: string } {
  const found = /^s3:\/\/([^/]*)\/?(.*)$/s.exec(source)
  const [, name = '', pattern = ''] = found ?? []
  const invalid = (what: string, hint: string) => new SluiceError('input_invalid', `input.source ${what}`, { hint })
  if (name.includes('@')) throw invalid('holds a user or a key before the bucket', 'Keys come from the environment.')
  if (!isBucketName(name)) throw invalid(`has no valid bucket: ${source}`, 'Expected s3://bucket/key.')
  if (pattern === '') throw invalid(`names a whole bucket: ${source}`, 'Name an object, a folder/ or a glob in it.')
  if (/\?(endpoint|region|sse|kmsKey|pathStyle)=/.test(pattern)) {
    throw invalid(
      `has settings behind a ?, which is part of a glob here: ${source}`,
      'Set SLUICE_S3_ENDPOINT and AWS_REGION in the environment instead.',
    )
  }
  return { name, pattern }
}

async function search(bucket: S3Bucket, pattern: string): Promise<readonly S3Object[]> {
  const prefix = /^[^*?[{]*/.exec(pattern)?.[0] ?? ''
  if (prefix === pattern && !pattern.endsWith('/')) {
    const object = await bucket.look(pattern)
    return object === null ? [] : [object]
  }
  const matches = prefix === pattern ? () => true : (key: string) => matchesGlob(key, pattern)
  const found: S3Object[] = []
  for await (const object of bucket.list(prefix)) {
    if (object.key === pattern) return [object]
    // Consoles make an object of no bytes for a folder.
    if (!object.key.endsWith('/') && matches(object.key)) found.push(object)
  }
  return found
}

async function missing(bucket: S3Bucket, source: string, pattern: string): Promise<SluiceError> {
  if (/[*?[{]|\/$/.test(pattern)) return new SluiceError('input_missing', `input.source ${source} matches no object`)
  const near = didYouMean(posix.basename(pattern), await neighbours(bucket, pattern))
  return new SluiceError(
    'input_missing',
    `input.source ${source}: there is no such object`,
    near === null ? {} : { hint: `${near[0]?.toUpperCase()}${near.slice(1)}` },
  )
}

/** Names beside the key; none where the keys do not allow to list. */
async function neighbours(bucket: S3Bucket, key: string): Promise<readonly string[]> {
  const folder = key.slice(0, key.lastIndexOf('/') + 1)
  const names: string[] = []
  try {
    for await (const object of bucket.list(folder)) {
      names.push(object.key.slice(folder.length))
      if (names.length === NEIGHBOURS) break
    }
  } catch {
    return []
  }
  return names
}
