import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { openBlob } from '../../src/blob/open.ts'
import { s3Access } from '../../src/blob/s3-access.ts'
import { parseS3Object, parseS3Url } from '../../src/blob/s3-url.ts'
import { SluiceError } from '../../src/errors.ts'

const envOf = (variables: Readonly<Record<string, string>>) => (name: string) => variables[name]
const none = envOf({})

function refusal(work: () => unknown): SluiceError {
  try {
    work()
  } catch (error) {
    if (error instanceof SluiceError) return error
    throw error
  }
  throw new Error('it was taken')
}

describe('an s3:// address', () => {
  it('says bucket, path and settings', () => {
    expect(parseS3Url('s3://bucket', 'X')).toStrictEqual({
      bucket: 'bucket',
      path: '',
      endpoint: null,
      region: null,
      pathStyle: null,
      encryption: null,
    })
    const url =
      's3://my.bucket/a/b c/?endpoint=https://minio.example:9000/&region=eu-central-1&sse=aws:kms&kmsKey=k1&pathStyle=false'
    expect(parseS3Url(url, 'X')).toStrictEqual({
      bucket: 'my.bucket',
      path: 'a/b c',
      endpoint: 'https://minio.example:9000',
      region: 'eu-central-1',
      pathStyle: false,
      encryption: { algorithm: 'aws:kms', kmsKey: 'k1' },
    })
  })

  it.each([
    ['s3:/bucket', 'is no s3:// address'],
    ['s3://', 'has no valid bucket'],
    ['s3://-x-/p', 'has no valid bucket'],
    ['s3://b?x', 'has no valid bucket'],
    ['s3://bucket/a//b', 'has an empty part'],
    ['s3://bucket/a/../b', 'has an empty part, . or ..'],
    ['s3://bucket?endpoint=minio:9000', 'endpoint is no http:// or https:// address'],
    ['s3://bucket?endpoint=http://h/?x=1', 'has a ? or a #'],
    ['s3://bucket?region=eu%20west', 'has no valid region'],
    ['s3://bucket?region=', 'says nothing after region='],
    ['s3://bucket?region=a&region=b', 'says region twice'],
    ['s3://bucket?sse=rot13', 'AES256, aws:kms, aws:kms:dsse are known'],
    ['s3://bucket?kmsKey=k', 'without saying sse=aws:kms'],
    ['s3://bucket?sse=AES256&kmsKey=k', 'names a KMS key with sse=AES256'],
    ['s3://bucket?pathStyle=yes', 'needs pathStyle=true or pathStyle=false'],
  ])('refuses %s', (url, what) => {
    const { code, message } = refusal(() => parseS3Url(url, 'SLUICE_BLOB_URL'))
    expect(code).toBe('usage')
    expect(message).toMatch(/^SLUICE_BLOB_URL/)
    expect(message).toContain(what)
  })

  it.each(['s3://AKIA:hush@bucket/p', 's3://bucket?secretAccessKey=hush', 's3://bucket?endpoint=https://me:hush@host'])(
    'never shows the secret that stands where none belongs: %s',
    (url) => {
      const { message, hint, stack } = refusal(() => parseS3Url(url, 'SLUICE_BLOB_URL'))
      expect(`${message} ${hint} ${stack}`).not.toContain('hush')
      expect(hint).toContain('AWS_SECRET_ACCESS_KEY')
    },
  )

  it('is read, or refused with a word of what is wrong, whatever it holds', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webQueryParameters()), (text) => {
        try {
          const { bucket, path } = parseS3Url(`s3://${text}`, 'X')
          expect(`${bucket}/${path}`.split('/')).not.toContain('..')
        } catch (error) {
          expect(error).toBeInstanceOf(SluiceError)
        }
      }),
    )
  })

  it('names an object where one is written', () => {
    expect(parseS3Object('s3://bucket/a b/c.csv', '-o')).toStrictEqual({ bucket: 'bucket', key: 'a b/c.csv' })
    for (const url of ['s3://bucket', 's3://bucket/', 's3://bucket/a/', 's3:///a.csv', 's3://bucket/a.csv?x=1']) {
      expect(refusal(() => parseS3Object(url, '-o')).message).toBe('-o names no object: expected s3://bucket/key')
    }
  })
})

describe('what the environment adds', () => {
  const plain = parseS3Url('s3://bucket', 'X')

  it('comes behind what the address says', () => {
    const env = envOf({
      SLUICE_S3_ENDPOINT: 'http://one:1',
      AWS_ENDPOINT_URL_S3: 'http://two:2',
      AWS_REGION: 'r1',
      SLUICE_S3_SSE: 'AES256',
    })
    expect(s3Access(plain, env)).toMatchObject({
      endpoint: 'http://one:1',
      region: 'r1',
      pathStyle: true,
      encryption: { algorithm: 'AES256' },
      credentials: null,
    })
    const said = parseS3Url('s3://bucket?endpoint=https://three&region=r3&pathStyle=false&sse=aws:kms', 'X')
    expect(s3Access(said, env)).toMatchObject({
      endpoint: 'https://three',
      region: 'r3',
      pathStyle: false,
      encryption: { algorithm: 'aws:kms', kmsKey: null },
    })
    expect(s3Access(plain, envOf({ AWS_ENDPOINT_URL_S3: 'http://two:2' }))).toMatchObject({
      endpoint: 'http://two:2',
      region: 'us-east-1',
    })
    expect(s3Access(plain, none)).toMatchObject({ endpoint: null, region: null, pathStyle: false })
  })

  it('is told by the name of its variable where it is wrong', () => {
    expect(refusal(() => s3Access(plain, envOf({ AWS_ENDPOINT_URL_S3: 'minio' }))).message).toMatch(
      /^AWS_ENDPOINT_URL_S3 /,
    )
    expect(refusal(() => s3Access(plain, envOf({ SLUICE_S3_SSE: 'x' }))).message).toMatch(/^SLUICE_S3_SSE /)
  })
})

describe('the address of blobs', () => {
  it.each(['', '/srv/blob', 'http://host/x', 'file://host/x', 'file:///x?y=1'])(
    'is refused where it is neither: %j',
    (url) => {
      expect(refusal(() => openBlob(url, none))).toMatchObject({
        code: 'usage',
        hint: expect.stringContaining('file:///path'),
      })
    },
  )

  it('may be a bucket or a directory', () => {
    expect(Object.keys(openBlob('s3://bucket/p', none).blob)).toContain('removeAll')
    expect(Object.keys(openBlob('file:///srv/with%20space', none).blob)).toContain('removeAll')
  })
})
