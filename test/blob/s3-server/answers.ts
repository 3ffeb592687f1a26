import { etagOf, type Objects } from './objects.ts'

/** A request as the routes see it. */
export interface S3Request {
  readonly method: string
  /** Empty: the bucket itself. */
  readonly key: string
  readonly query: URLSearchParams
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: Buffer
}

export interface S3Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

const STATUS: Readonly<Record<string, number>> = {
  AccessDenied: 403,
  InvalidAccessKeyId: 403,
  SignatureDoesNotMatch: 403,
  NoSuchKey: 404,
  NoSuchBucket: 404,
  NoSuchUpload: 404,
  PreconditionFailed: 412,
  InvalidRange: 416,
  NotImplemented: 501,
  SlowDown: 503,
  InternalError: 500,
}

/** An error as S3 tells it. */
export function refusal(code: string): S3Answer {
  return { status: STATUS[code] ?? 400, body: xml('Error', `<Code>${code}</Code><Message>${code}</Message>`) }
}

/** Answers the requests of S3 that sluice makes, as S3 would; everything else is refused. `pageSize`: keys a page at most. */
export function answer(request: S3Request, objects: Objects, pageSize: number): S3Answer {
  const { method, key, query } = request
  if (key === '') return answerBucket(request, objects, pageSize)
  const upload = query.get('uploadId')
  if (method === 'POST' && query.has('uploads')) {
    const id = objects.begin(key, header(request, 'x-amz-server-side-encryption'))
    return ok(xml('InitiateMultipartUploadResult', `<Key>${escaped(key)}</Key><UploadId>${id}</UploadId>`))
  }
  if (method === 'POST' && upload !== null) return completeUpload(request, objects, upload)
  if (method === 'PUT' && upload !== null) return putPart(request, objects, upload)
  if (method === 'DELETE' && upload !== null) {
    return objects.uploads.delete(upload) ? { status: 204 } : refusal('NoSuchUpload')
  }
  if (method === 'PUT') return putObject(request, objects)
  if (method === 'GET' || method === 'HEAD') return getObject(request, objects)
  if (method !== 'DELETE') return refusal('NotImplemented')
  objects.all.delete(key)
  return { status: 204 }
}

function answerBucket({ method, query, body }: S3Request, objects: Objects, pageSize: number): S3Answer {
  if (method === 'GET' && query.get('list-type') === '2') return listObjects(query, objects, pageSize)
  if (method === 'GET' && query.has('uploads')) {
    const prefix = query.get('prefix') ?? ''
    const found = [...objects.uploads].filter(([, { key }]) => key.startsWith(prefix))
    const items = found.map(([id, { key }]) => `<Upload><Key>${escaped(key)}</Key><UploadId>${id}</UploadId></Upload>`)
    return ok(xml('ListMultipartUploadsResult', `<IsTruncated>false</IsTruncated>${items.join('')}`))
  }
  if (method !== 'POST' || !query.has('delete')) return refusal('NotImplemented')
  const keys = [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map((match) => unescaped(match[1] as string))
  if (keys.length > 1000) return refusal('MalformedXML')
  for (const key of keys) objects.all.delete(key)
  return ok(xml('DeleteResult', ''))
}

function listObjects(query: URLSearchParams, objects: Objects, pageSize: number): S3Answer {
  const keys = objects.keys(query.get('prefix') ?? '')
  const token = query.get('continuation-token')
  const after = token === null ? '' : Buffer.from(token, 'base64url').toString()
  const from = after === '' ? 0 : keys.indexOf(after) + 1
  const page = keys.slice(from, from + Math.min(pageSize, Number(query.get('max-keys') ?? 1000)))
  const more = from + page.length < keys.length
  const next = more ? Buffer.from(page.at(-1) as string).toString('base64url') : null
  const contents = page.map((key) => {
    const { bytes, etag, modified } = objects.all.get(key) as NonNullable<ReturnType<Objects['all']['get']>>
    return `<Contents><Key>${escaped(key)}</Key><Size>${bytes.length}</Size><ETag>${escaped(etag)}</ETag><LastModified>${modified.toISOString()}</LastModified></Contents>`
  })
  const token2 = next === null ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`
  return ok(xml('ListBucketResult', `<IsTruncated>${more}</IsTruncated>${token2}${contents.join('')}`))
}

function getObject(request: S3Request, objects: Objects): S3Answer {
  const object = objects.all.get(request.key)
  if (object === undefined) return refusal('NoSuchKey')
  const wanted = header(request, 'if-match')
  if (wanted !== null && wanted !== object.etag) return refusal('PreconditionFailed')
  const headers = { etag: object.etag, 'last-modified': object.modified.toUTCString(), 'accept-ranges': 'bytes' }
  const range = /^bytes=(\d+)-(\d+)$/.exec(header(request, 'range') ?? '')
  if (range === null) return { status: 200, headers, body: object.bytes }
  const [from, to] = [Number(range[1]), Math.min(Number(range[2]), object.bytes.length - 1)]
  if (from >= object.bytes.length) return refusal('InvalidRange')
  const part = { ...headers, 'content-range': `bytes ${from}-${to}/${object.bytes.length}` }
  return { status: 206, headers: part, body: object.bytes.subarray(from, to + 1) }
}

function putObject(request: S3Request, objects: Objects): S3Answer {
  if (header(request, 'if-none-match') === '*' && objects.all.has(request.key)) return refusal('PreconditionFailed')
  const { etag } = objects.put(request.key, request.body, header(request, 'x-amz-server-side-encryption'))
  return { status: 200, headers: { etag } }
}

function putPart(request: S3Request, objects: Objects, upload: string): S3Answer {
  const found = objects.uploads.get(upload)
  if (found === undefined) return refusal('NoSuchUpload')
  found.parts.set(Number(request.query.get('partNumber')), request.body)
  return { status: 200, headers: { etag: etagOf(request.body) } }
}

function completeUpload(request: S3Request, objects: Objects, upload: string): S3Answer {
  const parts = [...request.body.toString().matchAll(/<Part>(.*?)<\/Part>/gs)].map(([part]) => ({
    number: Number(/<PartNumber>(\d+)/.exec(part)?.[1]),
    etag: unescaped(/<ETag>([^<]*)/.exec(part)?.[1] ?? ''),
  }))
  const done = objects.complete(upload, parts)
  if (typeof done === 'string') return refusal(done)
  return ok(xml('CompleteMultipartUploadResult', `<ETag>${escaped(done.etag)}</ETag>`))
}

function header({ headers }: S3Request, name: string): string | null {
  const value = headers[name]
  return typeof value === 'string' ? value : null
}

function ok(body: string): S3Answer {
  return { status: 200, body }
}

function xml(root: string, content: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><${root}>${content}</${root}>`
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)
}

function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, code: string) => String.fromCodePoint(Number.parseInt(code, 16)))
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCodePoint(Number(code)))
    .replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => named[name] as string)
}
