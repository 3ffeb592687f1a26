import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

export interface Keys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** The S3 code of what is wrong with a request's signature (AWS Signature Version 4, in headers); `null`: it is right. */
export function faultOfSignature(request: IncomingMessage, body: Buffer, keys: Keys): string | null {
  const authorization = request.headers.authorization ?? ''
  const found = /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
    authorization,
  )
  if (found === null) return 'AccessDenied'
  const [, credential = '', signedHeaders = '', signature] = found
  const [accessKeyId, date = '', region = '', service = '', end = ''] = credential.split('/')
  if (accessKeyId !== keys.accessKeyId) return 'InvalidAccessKeyId'

  const stated = String(request.headers['x-amz-content-sha256'])
  if (stated !== 'UNSIGNED-PAYLOAD' && stated !== hash(body)) return 'XAmzContentSHA256Mismatch'
  const canonical = [
    request.method,
    ...canonicalAddress(request.url ?? '/'),
    ...signedHeaders.split(';').map((name) => `${name}:${String(request.headers[name] ?? '').trim()}`),
    '',
    signedHeaders,
    stated,
  ].join('\n')
  const scope = [date, region, service, end].join('/')
  const toSign = ['AWS4-HMAC-SHA256', request.headers['x-amz-date'], scope, hash(canonical)].join('\n')
  let key: string | Buffer = `AWS4${keys.secretAccessKey}`
  for (const part of [date, region, service, end]) key = createHmac('sha256', key).update(part).digest()
  return createHmac('sha256', key).update(toSign).digest('hex') === signature ? null : 'SignatureDoesNotMatch'
}

/** Path and query as they are signed. */
function canonicalAddress(address: string): [string, string] {
  const at = address.indexOf('?')
  const path = at < 0 ? address : address.slice(0, at)
  const parameters = [...new URLSearchParams(at < 0 ? '' : address.slice(at + 1))]
  const encoded = parameters.map(([name, value]) => `${encode(name)}=${encode(value)}`).sort()
  return [path, encoded.join('&')]
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function hash(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
