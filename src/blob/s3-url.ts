import { SluiceError } from '../errors.ts'

/** How the server encrypts what is written; the bucket's own default where none is asked for. */
export interface S3Encryption {
  readonly algorithm: (typeof ALGORITHMS)[number]
  /** Id or ARN of the key, for KMS; `null`: the account's own. */
  readonly kmsKey: string | null
}

/** What an `s3://` address says. */
export interface S3Url {
  readonly bucket: string
  /** Without slashes at its ends; empty: the whole bucket. */
  readonly path: string
  /** Origin of a server other than AWS. */
  readonly endpoint: string | null
  readonly region: string | null
  /** `null`: as is usual for the endpoint. */
  readonly pathStyle: boolean | null
  readonly encryption: S3Encryption | null
}

const ALGORITHMS = ['AES256', 'aws:kms', 'aws:kms:dsse'] as const
const PARAMETERS = ['endpoint', 'region', 'sse', 'kmsKey', 'pathStyle'] as const
const SHAPE = 's3://bucket/prefix?endpoint=https://…&region=…&sse=aws:kms&kmsKey=…&pathStyle=true'

/**
 * Reads `s3://bucket/prefix?…`, where `name` says what holds it. The path is taken as it stands, not percent-decoded, as `aws s3` does. Throws SluiceError
 * `usage` that names the part that is wrong, and never shows what may be a secret: keys belong into AWS_ACCESS_KEY_ID or the like.
 */
export function parseS3Url(url: string, name: string): S3Url {
  const found = /^s3:\/\/([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url)
  if (found === null) throw wrong(name, 'is no s3:// address')
  const [, bucket = '', path = '', query = ''] = found
  if (bucket.includes('@')) throw wrong(name, 'holds a user or a key before the bucket', KEYS_HINT)
  if (!isBucketName(bucket)) throw wrong(name, `has no valid bucket: ${JSON.stringify(bucket)}`)
  const parameters = new URLSearchParams(query)
  for (const parameter of new Set(parameters.keys())) checkParameter(parameters, parameter, name)
  return Object.freeze({
    bucket,
    path: pathOf(path, name),
    endpoint: parameters.has('endpoint') ? s3Endpoint(parameters.get('endpoint') ?? '', `${name}, endpoint`) : null,
    region: regionOf(parameters.get('region'), name),
    pathStyle: pathStyleOf(parameters.get('pathStyle'), name),
    encryption: s3Encryption(parameters.get('sse'), parameters.get('kmsKey'), name),
  })
}

/** Whether `text` is an `s3://` address. */
export function isS3Url(text: string): boolean {
  return /^s3:\/\//i.test(text)
}

/** Bucket and key of `s3://bucket/key`, where `name` says what holds it. Throws `usage`. */
export function parseS3Object(url: string, name: string): { readonly bucket: string; readonly key: string } {
  const [, bucket = '', key = ''] = /^s3:\/\/([^/]*)\/(.*)$/is.exec(url) ?? []
  if (!isBucketName(bucket) || key === '' || key.endsWith('/') || key.includes('?')) {
    throw new SluiceError('usage', `${name} names no object: expected s3://bucket/key`, {
      hint: 'Server and region come from SLUICE_S3_ENDPOINT and AWS_REGION, keys from the environment too.',
    })
  }
  return { bucket, key }
}

/** Whether `text` can be a bucket's name; older buckets, and other servers than AWS, know capitals and `_`. */
export function isBucketName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]$/.test(text)
}

/** The origin and path of an endpoint, checked; `name` says what holds it. Throws `usage`. */
export function s3Endpoint(text: string, name: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw wrong(name, 'is no http:// or https:// address')
  }
  if (url.username !== '' || url.password !== '') throw wrong(name, 'holds a user or a key', KEYS_HINT)
  if (url.search !== '' || url.hash !== '') throw wrong(name, 'has a ? or a # in it')
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/** What to encrypt with; `null` where nothing is asked for. Throws `usage`. */
export function s3Encryption(sse: string | null, kmsKey: string | null, name: string): S3Encryption | null {
  if (sse === null) {
    if (kmsKey !== null) throw wrong(name, 'names a KMS key without saying sse=aws:kms')
    return null
  }
  const algorithm = ALGORITHMS.find((each) => each === sse)
  if (algorithm === undefined) throw wrong(name, `asks for sse=${sse}, where ${ALGORITHMS.join(', ')} are known`)
  if (kmsKey !== null && algorithm === 'AES256') throw wrong(name, 'names a KMS key with sse=AES256')
  return Object.freeze({ algorithm, kmsKey })
}

const KEYS_HINT = 'Keys stand in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or where the AWS SDK finds them else.'

function checkParameter(parameters: URLSearchParams, parameter: string, name: string): void {
  if (!PARAMETERS.some((each) => each === parameter)) {
    throw wrong(name, `has an unknown parameter ${parameter}`, `Known are ${PARAMETERS.join(', ')}. ${KEYS_HINT}`)
  }
  if (parameters.getAll(parameter).length > 1) throw wrong(name, `says ${parameter} twice`)
  if (parameters.get(parameter) === '') throw wrong(name, `says nothing after ${parameter}=`)
}

function pathOf(text: string, name: string): string {
  const path = text.replace(/^\/+|\/+$/g, '')
  const parts = path === '' ? [] : path.split('/')
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw wrong(name, `has an empty part, . or .. in its path: ${JSON.stringify(path)}`)
  }
  return path
}

function regionOf(text: string | null, name: string): string | null {
  if (text !== null && !/^[a-z0-9-]{1,40}$/i.test(text))
    throw wrong(name, `has no valid region: ${JSON.stringify(text)}`)
  return text
}

function pathStyleOf(text: string | null, name: string): boolean | null {
  if (text !== null && text !== 'true' && text !== 'false') throw wrong(name, 'needs pathStyle=true or pathStyle=false')
  return text === null ? null : text === 'true'
}

function wrong(name: string, what: string, hint = `Expected ${SHAPE}, all after the ? optional.`): SluiceError {
  return new SluiceError('usage', `${name} ${what}`, { hint })
}
