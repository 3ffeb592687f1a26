import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { batchAttemptId } from '../../src/batch/attempt-id.ts'
import { requestsKey } from '../../src/batch/batch-files.ts'
import { linesOf } from '../../src/batch/lines.ts'
import { partIdOf, readRequestId, readRequests, requestId, writeRequests } from '../../src/batch/request-lines.ts'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import { uuidv7 } from '../../src/runtime.ts'

let dir: string
let blob: Blob

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-requests-'))
  blob = openFileBlob({ dir })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const partId = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 10 }))
  .map(([timeMs, random]) => partIdOf(uuidv7(timeMs, random)))
const row = fc.integer({ min: 0, max: 999_999_999_999 })
const PART = partIdOf(uuidv7(1_700_000_000_000, new Uint8Array(10)))

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}

describe('ids of requests', () => {
  it('are taken by every provider, and say part and row', () => {
    fc.assert(
      fc.property(partId, row, (part, rowIndex) => {
        const id = requestId(part, rowIndex)
        expect(id).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
        expect(readRequestId(id)).toEqual({ partId: part, rowIndex })
      }),
    )
  })

  it.each([
    '',
    'request-1',
    `${PART}`,
    `${PART}-`,
    `${PART}--1`,
    `${PART}-01`,
    `${PART}-1e3`,
    `${PART.toUpperCase()}-1`,
    `${PART}-1 `,
  ])('are not %j', (id) => {
    expect(readRequestId(id)).toBeNull()
  })
})

describe('requests of a part', () => {
  it('come back as they were written', async () => {
    const bodies = fc.array(
      fc.json({ maxDepth: 2 }).map((json) => JSON.stringify(JSON.parse(json))),
      { maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(bodies, async (texts) => {
        const lines = texts.map((body, n) => ({ id: requestId(PART, n), body }))
        const key = requestsKey('job_1', PART)
        const written = await writeRequests(blob, key, lines)
        expect(await all(readRequests(blob, key))).toEqual(lines)
        expect(written).toEqual({
          requests: texts.length,
          bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
        })
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    { what: 'of several lines', line: { id: requestId(PART, 0), body: '{\n}' } },
    { what: 'with an id of another kind', line: { id: 'row-1', body: '{}' } },
  ])('are refused $what, and nothing is left behind', async ({ line }) => {
    const key = requestsKey('job_2', PART)
    await expect(writeRequests(blob, key, [{ id: requestId(PART, 1), body: '{}' }, line])).rejects.toMatchObject({
      code: 'internal',
    })
    expect(await blob.size(key)).toBeNull()
  })
})

describe('linesOf', () => {
  it('finds the same lines, however the bytes are cut into blocks', async () => {
    const text = fc
      .array(fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r', ' '), maxLength: 12 }))
      .map((parts) => parts.join(''))
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 7 }), async (whole, size) => {
        const bytes = Buffer.from(whole)
        async function* blocks() {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
        }
        const lines = whole.split('\n')
        const expected = whole.endsWith('\n') || whole === '' ? lines.slice(0, -1) : lines
        expect((await all(linesOf(blocks()))).map(String)).toEqual(expected)
      }),
    )
  })
})

describe('ids of attempts', () => {
  it('are UUIDv7 of the time of their part, the same each time, and another for each row', () => {
    fc.assert(
      fc.property(partId, row, row, (part, a, b) => {
        const id = batchAttemptId(part, a)
        expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
        expect(id.replaceAll('-', '').slice(0, 12)).toBe(part.slice(0, 12))
        expect(batchAttemptId(part, a)).toBe(id)
        if (a !== b) expect(batchAttemptId(part, b)).not.toBe(id)
      }),
    )
  })
})
