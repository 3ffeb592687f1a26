import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openS3Blob } from '../../src/blob/s3.ts'
import { type S3Server, startS3Server } from './s3-server/server.ts'

const MB = 1024 * 1024
const CHUNK = 100_000
const segment = randomBytes(10 * MB)

let server: S3Server
beforeAll(async () => {
  server = await startS3Server()
})
afterAll(() => server.close())
beforeEach(() => {
  server.objects.put('s', segment, null)
  server.requests.length = 0
})

const opened = () => openS3Blob({ url: `s3://${server.bucket}`, env: (name) => server.env[name] })
const gets = () => server.requests.filter((request) => request.startsWith('GET')).length
const chunkAt = (offset: number) => ({ offset, length: Math.min(CHUNK, segment.length - offset) })

it('reads ahead for who reads one range after the other, and gives exactly what was asked for', async () => {
  const blob = opened()
  for (let offset = 0; offset < segment.length; offset += CHUNK) {
    const range = chunkAt(offset)
    expect((await blob.read('s', range)).equals(segment.subarray(offset, offset + range.length))).toBe(true)
  }
  // The first range, and three blocks of up to 4 MB.
  expect(gets()).toBe(4)
})

it('fetches what is asked for, and no more, for who reads here and there', async () => {
  const blob = opened()
  for (const offset of [5, 3, 1, 4, 2].map((at) => at * MB)) await blob.read('s', chunkAt(offset))
  expect(gets()).toBe(5)
})

it('forgets what it kept of an object that is replaced or removed through it', async () => {
  const blob = opened()
  for (const offset of [0, CHUNK, 2 * CHUNK]) await blob.read('s', chunkAt(offset))
  const other = randomBytes(segment.length)
  await blob.put('s', other)
  expect((await blob.read('s', chunkAt(CHUNK))).equals(other.subarray(CHUNK, 2 * CHUNK))).toBe(true)
  for (const offset of [0, CHUNK, 2 * CHUNK]) await blob.read('s', chunkAt(offset))
  await blob.removeAll('s')
  await expect(blob.read('s', chunkAt(2 * CHUNK))).rejects.toThrow('no object')
})

it('reads as much as there is where a range goes on past a cut-off end', async () => {
  const blob = opened()
  await blob.read('s', { offset: segment.length - 2 * CHUNK, length: CHUNK })
  await expect(blob.read('s', { offset: segment.length - CHUNK, length: CHUNK + 1 })).rejects.toThrow('no object')
})
