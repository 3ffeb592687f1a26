import { createHash, randomUUID } from 'node:crypto'

export interface StoredObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
  /** What it was asked to be encrypted with. */
  readonly encryption: string | null
}

interface Upload {
  readonly key: string
  readonly encryption: string | null
  readonly parts: Map<number, Buffer>
}

/** The content of one bucket. */
export interface Objects {
  readonly all: Map<string, StoredObject>
  readonly uploads: Map<string, Upload>
  put(key: string, bytes: Buffer, encryption: string | null): StoredObject
  begin(key: string, encryption: string | null): string
  /** Joins the parts in the order named; the S3 code where that cannot be. */
  complete(id: string, parts: readonly { readonly number: number; readonly etag: string }[]): StoredObject | string
  /** Keys in the order of their bytes. */
  keys(prefix: string): string[]
}

/** S3's own bound for every part but the last. */
const SMALLEST_PART = 5 * 1024 * 1024

export function createObjects(): Objects {
  const all = new Map<string, StoredObject>()
  const uploads = new Map<string, Upload>()
  const keep = (key: string, bytes: Buffer, encryption: string | null, etag: string) => {
    const object = { bytes, etag, modified: new Date(), encryption }
    all.set(key, object)
    return object
  }
  return {
    all,
    uploads,
    put: (key, bytes, encryption) => keep(key, bytes, encryption, etagOf(bytes)),
    begin(key, encryption) {
      const id = randomUUID()
      uploads.set(id, { key, encryption, parts: new Map() })
      return id
    },
    complete(id, named) {
      const upload = uploads.get(id)
      if (upload === undefined) return 'NoSuchUpload'
      const parts = named.map(({ number }) => upload.parts.get(number))
      if (parts.length === 0 || parts.some((part, at) => part === undefined || etagOf(part) !== named[at]?.etag)) {
        return 'InvalidPart'
      }
      const found = parts as Buffer[]
      if (found.slice(0, -1).some((part) => part.length < SMALLEST_PART)) return 'EntityTooSmall'
      uploads.delete(id)
      const digests = Buffer.concat(found.map((part) => createHash('md5').update(part).digest()))
      const etag = `"${createHash('md5').update(digests).digest('hex')}-${found.length}"`
      return keep(upload.key, Buffer.concat(found), upload.encryption, etag)
    },
    keys: (prefix) =>
      [...all.keys()]
        .filter((key) => key.startsWith(prefix))
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  }
}

export function etagOf(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}
