import type { IncomingHttpHeaders } from 'node:http'
import { SluiceError } from '../errors.ts'

/** What the headers of an upload say of its body. */
export interface Upload {
  /** `null`: the body is all of the file. */
  readonly range: UploadRange | null
  /** `null`: it is not known before its end. */
  readonly bodyBytes: number | null
  /** sha-256 (hex) that the whole file must have, and that this body must have; `null`: not said. */
  readonly wholeSha256: string | null
  readonly bodySha256: string | null
}

/** Which bytes of the file the body holds: from `from` on, up to `to` (exclusive). Where the two are equal it holds none, and asks only whether the file is whole. */
export interface UploadRange {
  readonly from: number
  readonly to: number
  /** `null`: not known yet. */
  readonly total: number | null
}

/**
 * Reads `Content-Range` (RFC 9110, 14.4), `Content-Length`, and `Repr-Digest` and `Content-Digest` (RFC 9530). Throws `range_unfit` for a range that
 * cannot be, `request_invalid` for digests that cannot be read, `media_type` for a body that is packed on the way.
 */
export function readUpload(headers: IncomingHttpHeaders): Upload {
  const packed = headers['content-encoding']
  if (packed !== undefined && packed !== 'identity') {
    throw new SluiceError('media_type', `a body packed with ${packed} is not taken`, {
      hint: 'Leave out Content-Encoding. A file that is itself packed with gzip can be sent as it is, named .gz.',
    })
  }
  const text = headers['content-range']
  const range = text === undefined ? null : readRange(text)
  const bodyBytes = headers['content-length'] === undefined ? null : Number(headers['content-length'])
  if (range !== null && bodyBytes !== null && bodyBytes !== range.to - range.from) {
    throw new SluiceError(
      'range_unfit',
      `Content-Range is of ${range.to - range.from} bytes, and the body has ${bodyBytes}`,
    )
  }
  const bodySha256 = readDigest('Content-Digest', headers['content-digest'])
  return Object.freeze({
    range,
    bodyBytes,
    bodySha256,
    // Without a range the two speak of the same bytes.
    wholeSha256: readDigest('Repr-Digest', headers['repr-digest']) ?? (range === null ? bodySha256 : null),
  })
}

function readRange(text: string): UploadRange {
  const asked = /^bytes \*\/(\d{1,15})$/.exec(text.trim())
  if (asked !== null) return { from: Number(asked[1]), to: Number(asked[1]), total: Number(asked[1]) }
  const parts = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/.exec(text.trim())
  const [from, to] = [Number(parts?.[1]), Number(parts?.[2]) + 1]
  const total = parts?.[3] === undefined ? null : Number(parts[3])
  if (parts === null || to <= from || (total !== null && to > total)) {
    throw new SluiceError('range_unfit', 'Content-Range is of a form, or of bytes, that cannot be', {
      hint: 'Expected `bytes <first>-<last>/<total>`, with * for a total that is not known yet, or `bytes */<total>` without a body.',
    })
  }
  return { from, to, total }
}

/** The sha-256 (hex) of a digest header; other algorithms are left alone. */
function readDigest(name: string, value: string | string[] | undefined): string | null {
  if (value === undefined) return null
  const text = Array.isArray(value) ? value.join(',') : value
  const member = text.split(',').map((each) => each.trim())
  const sha256 = member.find((each) => each.toLowerCase().startsWith('sha-256='))
  if (sha256 === undefined) return null
  const bytes = /^sha-256=:([A-Za-z0-9+/]{43}=):$/i.exec(sha256)?.[1]
  if (bytes === undefined) {
    throw new SluiceError('request_invalid', `${name} holds no sha-256 that can be read`, {
      hint: 'Expected `sha-256=:<base64 of 32 bytes>:`.',
    })
  }
  return Buffer.from(bytes, 'base64').toString('hex')
}

/** A sha-256 (hex) as `Repr-Digest` says it. */
export function digestHeader(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`
}
