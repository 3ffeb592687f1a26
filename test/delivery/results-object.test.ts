import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openS3BucketOf } from '../../src/blob/s3-bucket.ts'
import { type ExportSource, exportResults, type ResultsFormat } from '../../src/delivery/export.ts'
import { writeParquet } from '../../src/table/write-parquet.ts'
import { type S3Server, startS3Server } from '../blob/s3-server/server.ts'
import { spec } from '../row/fixture.ts'
import { workplace } from './planned-job.ts'

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server.close())
beforeEach(() => {
  server.objects.all.clear()
  server.objects.uploads.clear()
  server.fault = null
})

const object = (key: string) => ({
  kind: 'object' as const,
  bucket: openS3BucketOf(server.bucket, (name) => server.env[name]),
  key,
})

async function jobOf(place: ReturnType<typeof workplace>, rows: number, text = 'text'): Promise<ExportSource> {
  const job = await place.job({
    spec: spec({ schema: { type: 'object', properties: { topic: { type: 'string' } } } }),
    input: { columns: ['id', 'body'] },
    chunks: [
      Array.from({ length: rows }, (_, row) => ({
        kind: 'row' as const,
        id: `k${row}`,
        values: [`k${row}`, `${text} ${row}`],
        outcome: { output: '{"topic":"bug"}' },
      })),
    ],
  })
  return { ...job, writeParquet }
}

it.each([
  ['csv', 'out.csv'],
  ['csv', 'out.csv.gz'],
  ['jsonl', 'out.jsonl'],
  ['parquet', 'out.parquet'],
] as const)('writes %s to the object %s as to a file', async (format: ResultsFormat, name) => {
  await using place = workplace()
  const source = await jobOf(place, 50)
  const path = join(place.folder, name)
  const written = await exportResults(source, { to: { kind: 'file', path }, format })
  expect(await exportResults(source, { to: object(`Out put/${name}`), format })).toStrictEqual(written)
  const stored = server.objects.all.get(`Out put/${name}`)?.bytes as Buffer
  const plain = (bytes: Buffer) => (name.endsWith('.gz') ? gunzipSync(bytes) : bytes)
  expect(plain(stored).equals(plain(readFileSync(path)))).toBe(true)
  expect(readdirSync(tmpdir()).filter((each) => each.startsWith('sluice-results-'))).toStrictEqual([])
})

it('leaves what stood there, and no parts, when the export breaks off or is aborted', async () => {
  await using place = workplace()
  const source = await jobOf(place, 4000, 'long '.repeat(2000))
  server.objects.put('out.csv', Buffer.from('before'), null)
  const stop = new AbortController()
  server.fault = (request) => {
    if (request.endsWith('?uploads')) stop.abort()
    return null
  }
  const request = { to: object('out.csv'), format: 'csv' as const, signal: stop.signal }
  await expect(exportResults(source, request)).rejects.toMatchObject({ name: 'AbortError' })
  expect(server.objects.all.get('out.csv')?.bytes.toString()).toBe('before')
  expect(server.objects.uploads.size).toBe(0)
})

it('says why an object cannot be written', async () => {
  await using place = workplace()
  const source = await jobOf(place, 5)
  server.fault = () => ({ code: 'AccessDenied' })
  await expect(exportResults(source, { to: object('out.csv'), format: 'csv' })).rejects.toMatchObject({
    code: 'output_unwritable',
    message: expect.stringMatching(/^s3:\/\/test-bucket\/out.csv cannot be written: access is denied/),
    hint: expect.stringContaining('s3:PutObject'),
  })
})
