import { randomBytes } from 'node:crypto'
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openS3Blob } from '../../src/blob/s3.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { blobConformance } from '../conformance/blob.ts'
import { collect } from './collect.ts'
import { missingForRadosgw, type Radosgw, START_MS, startRadosgw } from './radosgw.ts'

const MB = 1024 * 1024
const missing = missingForRadosgw()
const skipped = missing.length > 0
const reason = skipped ? ` (SKIPPED: no ${missing.join(', ')} here; apt-get install radosgw ceph-mon ceph-osd)` : ''

describe.skipIf(skipped)(`a real S3 server, radosgw${reason}`, () => {
  let server: Radosgw
  let places = 0
  beforeAll(async () => {
    server = await startRadosgw()
  }, START_MS * 2)
  afterAll(() => server?.stop())

  const opened = (prefix: string, env: Readonly<Record<string, string>> = server.env) =>
    openS3Blob({ url: `s3://${server.bucket}/${prefix}`, env: (name) => env[name] })
  const fresh = () => opened(`place-${places++}`)

  blobConformance('radosgw', async () => {
    const prefix = `place-${places++}`
    return { blob: opened(prefix), reopen: async () => opened(prefix), close: async () => undefined }
  })

  it('keeps a large object that was written in parts', async () => {
    const blob = fresh()
    const bytes = randomBytes(20 * MB + 17)
    const writer = await blob.writer('jobs/job_1/s/0')
    for (let at = 0; at < bytes.length; at += 3 * MB) await writer.write(bytes.subarray(at, at + 3 * MB))
    expect(await blob.size('jobs/job_1/s/0')).toBeNull()
    await writer.close()
    expect((await blob.read('jobs/job_1/s/0')).equals(bytes)).toBe(true)
    expect(Buffer.concat(await collect(blob.stream('jobs/job_1/s/0'))).equals(bytes)).toBe(true)
  })

  it('keeps no part of what was aborted, or of a process that died', async () => {
    const blob = fresh()
    const [aborted, dead] = await Promise.all([blob.writer('a'), blob.writer('b')])
    await Promise.all([aborted.write(randomBytes(9 * MB)), dead.write(randomBytes(9 * MB))])
    await aborted.abort()
    expect(await uploads()).toHaveLength(1)
    await blob.removeAll('')
    expect(await uploads()).toHaveLength(0)
  })

  async function uploads() {
    const client = new S3Client({
      endpoint: server.endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: {
        accessKeyId: server.env.AWS_ACCESS_KEY_ID ?? '',
        secretAccessKey: server.env.AWS_SECRET_ACCESS_KEY ?? '',
      },
    })
    const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: server.bucket }))
    client.destroy()
    return Uploads
  }

  it('lists and removes 2,500 keys', async () => {
    const blob = fresh()
    const keys = Array.from({ length: 2500 }, (_, at) => `many/${String(at).padStart(5, '0')}`)
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key) => blob.put(key, Buffer.from(key))))
    }
    expect(await collect(blob.list('many/'))).toStrictEqual(keys)
    await blob.removeAll('many/')
    expect(await collect(blob.list(''))).toStrictEqual([])
  })

  it('says that a secret is wrong, and that a bucket is not there', async () => {
    const wrong = opened('x', { ...server.env, AWS_SECRET_ACCESS_KEY: 'wrong' })
    const failure = await wrong.put('a', Buffer.from('x')).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(StorageFailure)
    expect((failure as Error).message).toMatch(/cannot be written: the access key is not accepted/)
    const elsewhere = openS3Blob({ url: 's3://no-such-bucket', env: (name) => server.env[name] })
    await expect(elsewhere.put('a', Buffer.from('x'))).rejects.toThrow('there is no such bucket')
  })
})
