import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openS3Blob } from '../../src/blob/s3.ts'
import { s3Access } from '../../src/blob/s3-access.ts'
import { openS3Bucket } from '../../src/blob/s3-bucket.ts'
import { parseS3Url } from '../../src/blob/s3-url.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { blobConformance } from '../conformance/blob.ts'
import { collect } from './collect.ts'
import { KEYS, type S3Server, startS3Server } from './s3-server/server.ts'

const MB = 1024 * 1024

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server.close())
beforeEach(() => {
  server.objects.all.clear()
  server.objects.uploads.clear()
  server.requests.length = 0
  server.fault = null
})

const opened = (url = `s3://${server.bucket}/some/prefix`, env: Readonly<Record<string, string>> = server.env) =>
  openS3Blob({ url, env: (name) => env[name] })

blobConformance('S3, a server of our own', async () => {
  const blob = opened()
  return { blob, reopen: async () => opened(), close: async () => blob.close() }
})

blobConformance('S3, a whole bucket in small pages', async () => {
  const paged = await startS3Server({ pageSize: 2 })
  const open = () => opened(`s3://${paged.bucket}`, paged.env)
  return { blob: open(), reopen: async () => open(), close: () => paged.close() }
})

describe('blobs in object storage', () => {
  it('writes a large object in parts, whose memory is bounded, and gives it back', async () => {
    const blob = opened()
    const bytes = randomBytes(20 * MB + 17)
    const writer = await blob.writer('jobs/job_1/s/0')
    for (let at = 0; at < bytes.length; at += 3 * MB) await writer.write(bytes.subarray(at, at + 3 * MB))
    expect(await blob.size('jobs/job_1/s/0')).toBeNull()
    await writer.close()
    expect((await blob.read('jobs/job_1/s/0')).equals(bytes)).toBe(true)
    expect(Buffer.concat(await collect(blob.stream('jobs/job_1/s/0'))).equals(bytes)).toBe(true)
    expect(server.requests.filter((request) => request.startsWith('PUT'))).toHaveLength(3)
    expect(server.objects.uploads.size).toBe(0)
  })

  it('writes a small object in one request', async () => {
    const writer = await opened().writer('report.md')
    await writer.write(Buffer.from('# Report'))
    await writer.close()
    expect(server.requests).toStrictEqual(['PUT some/prefix/report.md'])
  })

  it('leaves no part behind when a writer is aborted, or cannot go on', async () => {
    const blob = opened()
    const aborted = await blob.writer('a')
    await aborted.write(randomBytes(9 * MB))
    expect(server.objects.uploads.size).toBe(1)
    await aborted.abort()
    expect(server.objects.uploads.size).toBe(0)

    const broken = await blob.writer('b')
    await broken.write(randomBytes(9 * MB))
    server.fault = (request) => (request.startsWith('POST') ? { code: 'AccessDenied' } : null)
    await expect(broken.close()).rejects.toBeInstanceOf(StorageFailure)
    expect(server.objects.uploads.size).toBe(0)
    expect(server.objects.all.size).toBe(0)
  })

  it('takes an upload for complete whose answer got lost', async () => {
    const blob = opened()
    const bytes = randomBytes(9 * MB)
    const writer = await blob.writer('a')
    await writer.write(bytes)
    let lost = false
    server.fault = (request) => {
      if (lost || !request.startsWith('POST') || !request.endsWith('?uploadId')) return null
      lost = true
      return 'cut'
    }
    await writer.close()
    expect(lost).toBe(true)
    server.fault = null
    expect((await blob.read('a')).equals(bytes)).toBe(true)
  })

  it('removes what processes that died left half written', async () => {
    await (await opened().writer('jobs/job_1/s/0')).write(randomBytes(9 * MB))
    await (await opened().writer('jobs/job_2/s/0')).write(randomBytes(9 * MB))
    await opened().removeAll('jobs/job_1/')
    expect([...server.objects.uploads.values()].map(({ key }) => key)).toStrictEqual(['some/prefix/jobs/job_2/s/0'])
  })

  it('lists and removes 2,500 keys, in pages', async () => {
    const keys = Array.from({ length: 2500 }, (_, at) => `many/${String(at).padStart(5, '0')}`)
    for (const key of keys.toReversed()) server.objects.put(`some/prefix/${key}`, Buffer.from(key), null)
    server.objects.put('some/prefix/other', Buffer.from('x'), null)
    const blob = opened()
    expect(await collect(blob.list('many/'))).toStrictEqual(keys)
    server.requests.length = 0
    await blob.removeAll('many/')
    expect(await collect(blob.list(''))).toStrictEqual(['other'])
    expect(server.requests.filter((request) => request === 'POST ?delete')).toHaveLength(3)
  })

  it('removes one by one where the server knows no other way', async () => {
    const blob = opened()
    for (const key of ['a/1', 'a/2', 'a/3']) await blob.put(key, Buffer.from(key))
    server.fault = (request) => (request === 'POST ?delete' ? { code: 'MalformedXML' } : null)
    await blob.removeAll('a/')
    expect(server.objects.all.size).toBe(0)
  })

  it('keeps objects that are none of its own', async () => {
    server.objects.put('some/prefix/jobs/My notes.txt', Buffer.from('mine'), null)
    const blob = opened()
    await blob.put('jobs/a', Buffer.from('a'))
    expect(await collect(blob.list(''))).toStrictEqual(['jobs/a'])
    await blob.removeAll('jobs/')
    expect([...server.objects.all.keys()]).toStrictEqual(['some/prefix/jobs/My notes.txt'])
  })

  it('asks for encryption with every write', async () => {
    const blob = opened(`s3://${server.bucket}/p?sse=aws:kms&kmsKey=key-1`)
    await blob.put('small', Buffer.from('x'))
    const writer = await blob.writer('large')
    await writer.write(randomBytes(9 * MB))
    await writer.close()
    expect([...server.objects.all.values()].map(({ encryption }) => encryption)).toStrictEqual(['aws:kms', 'aws:kms'])
  })

  it('reads on after a connection that broke in the middle of a body', async () => {
    const blob = opened()
    const bytes = randomBytes(2 * MB)
    await blob.put('a', bytes)
    let cuts = 0
    server.fault = (request) => (request.startsWith('GET') && cuts++ < 2 ? 'cut' : null)
    expect((await blob.read('a')).equals(bytes)).toBe(true)
    cuts = 0
    expect(Buffer.concat(await collect(blob.stream('a'))).equals(bytes)).toBe(true)
  })

  it('sends a request again that was dropped, or that the server was too busy for', async () => {
    const blob = opened()
    let failures = 0
    server.fault = () => (failures++ < 1 ? 'drop' : failures < 3 ? { code: 'SlowDown' } : null)
    await blob.put('a', Buffer.from('x'))
    expect(failures).toBe(3)
  })

  it('gives a body up that never comes whole, as trouble of the storage', async () => {
    const blob = opened()
    await blob.put('a', randomBytes(1000))
    server.fault = (request) => (request.startsWith('GET') ? 'cut' : null)
    const failure = await blob.read('a').catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StorageFailure)
    expect((failure as Error).message).toMatch(
      /^s3:\/\/test-bucket\/some\/prefix\/a cannot be read to its end: .*http:\/\/127/,
    )
  })

  it('notices that an object was replaced while it is streamed', async () => {
    const bucket = openS3Bucket(s3Access(parseS3Url(`s3://${server.bucket}`, 'x'), (name) => server.env[name]))
    await bucket.put('a', randomBytes(4 * MB))
    const object = await bucket.look('a')
    const blocks = bucket.stream(object as NonNullable<typeof object>)[Symbol.asyncIterator]()
    await blocks.next()
    await bucket.put('a', randomBytes(4 * MB))
    const rest = (async () => {
      while (!(await blocks.next()).done);
    })()
    await expect(rest).rejects.toMatchObject({ trouble: 'changed' })
  })
})

describe('trouble with object storage is told', () => {
  const failureOf = async (work: Promise<unknown>) => {
    const failure = await work.catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StorageFailure)
    const { message, stack, cause } = failure as StorageFailure
    const everything = `${message} ${stack} ${JSON.stringify(cause)} ${(cause as Error).stack}`
    expect(everything).not.toContain(KEYS.secretAccessKey)
    expect(everything).not.toContain('wrong-secret')
    expect(everything).not.toContain(KEYS.accessKeyId)
    return message
  }

  it('of a wrong secret, and of an unknown key', async () => {
    const wrong = opened(undefined, { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong-secret' })
    expect(await failureOf(wrong.put('a', Buffer.from('x')))).toBe(
      `s3://test-bucket/some/prefix/a cannot be written: the access key is not accepted (${server.endpoint}; SignatureDoesNotMatch, HTTP 403). ` +
        'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a pair that this server knows.',
    )
    const unknown = opened(undefined, { ...server.env, AWS_ACCESS_KEY_ID: 'UNKNOWN' })
    expect(await failureOf(unknown.read('a'))).toContain('the access key is not accepted')
    // An answer to HEAD has no body that could say more.
    expect(await failureOf(wrong.size('a'))).toContain('access is denied')
  })

  it('of a server that nobody answers for', async () => {
    const gone = await startS3Server()
    await gone.close()
    const blob = opened(`s3://${server.bucket}/p`, gone.env)
    const message = await failureOf(blob.put('a', Buffer.from('x')))
    expect(message).toContain(`cannot be written: the server cannot be reached (${gone.endpoint}; ECONNREFUSED)`)
  })

  it('of a bucket that is not there', async () => {
    const message = await failureOf(opened('s3://no-such-bucket/p').put('a', Buffer.from('x')))
    expect(message).toContain('there is no such bucket')
  })

  it('of a server that stays in trouble', async () => {
    server.fault = () => ({ code: 'InternalError' })
    const message = await failureOf(opened().put('a', Buffer.from('x')))
    expect(message).toContain('the server is in trouble')
    expect(server.requests.length).toBeGreaterThan(1)
    expect(server.requests.length).toBeLessThan(10)
  })
})
