import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { withDownload } from '../../src/batch/download.ts'
import { partIdOf, requestId } from '../../src/batch/request-lines.ts'
import { createResultIndex, type LineSpan } from '../../src/batch/result-index.ts'
import { readResults } from '../../src/batch/results.ts'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import type { BatchPart } from '../../src/domain/batch.ts'
import { uuidv7 } from '../../src/runtime.ts'
import { KIND } from './depot.ts'
import { replyLine, scriptedApi } from './scripted-api.ts'

const PART = partIdOf(uuidv7(1_700_000_000_000, new Uint8Array(10)))
const OTHER = partIdOf(uuidv7(1_700_000_000_001, new Uint8Array(10)))
const { readLine } = scriptedApi(() => 0).open(KIND)

let dir: string
let blob: Blob

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-results-'))
  blob = openFileBlob({ dir })
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function rowsIn(text: string) {
  await blob.put('results', Buffer.from(`before\n${text}`))
  const results = { key: 'results', offset: 7, length: Buffer.byteLength(text) }
  return [...(await readResults(blob, { id: PART, results }, readLine)).keys()]
}

it('reads the lines of a range, and of no other part', async () => {
  const lines = [requestId(PART, 4), requestId(OTHER, 5), requestId(PART, 2), 'stranger'].map((id) => replyLine(id))
  expect(await rowsIn(`${lines.join('\n')}\nno line\n`)).toEqual([4, 2])
})

it('comes to an end whatever the range holds', async () => {
  expect(await rowsIn(replyLine(requestId(PART, 1)))).toEqual([1])
  expect(await rowsIn('\n\n')).toEqual([])
  expect(await rowsIn('')).toEqual([])
})

it('rejects where the object is gone', async () => {
  const results = { key: 'nothing', offset: 0, length: 3 }
  await expect(readResults(blob, { id: PART, results }, readLine)).rejects.toThrow('no object')
})

it('finds each line again in a download, in whatever order it is asked for', async () => {
  const lines = fc.array(fc.string({ minLength: 1, unit: fc.constantFrom('a', 'é', ' ') }), {
    minLength: 1,
    maxLength: 40,
  })
  // From where, and how many that lie side by side.
  const runs = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 40 })), { maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(lines, runs, async (texts, asked) => {
      await withDownload(async (download) => {
        const spans: LineSpan[] = []
        for (const text of texts) spans.push(await download.add(Buffer.from(text)))
        const order = asked.flatMap(([from, count]) => spans.map((_, n) => (n + from) % spans.length).slice(0, count))
        let read = ''
        for await (const block of download.read(order.map((n) => spans[n]!))) read += block
        expect(read).toBe(order.map((n) => `${texts[n]}\n`).join(''))
      })
    }),
    { numRuns: 50 },
  )
})

it('counts every line once, as the result of a request or as another', () => {
  const id = fc.oneof(
    fc
      .record({ part: fc.constantFrom(PART, OTHER), row: fc.integer({ min: 0, max: 5 }) })
      .map(({ part, row }) => requestId(part, row)),
    fc.constantFrom('stranger', null),
  )
  const result = fc.constantFrom('200', '500', 'none')
  fc.assert(
    fc.property(fc.array(fc.tuple(id, result), { maxLength: 40 }), (lines) => {
      const parts = [{ id: PART, rows: [0, 1, 2, 3] }] as unknown as BatchPart[]
      const index = createResultIndex(parts)
      for (const [n, [name, status]] of lines.entries()) {
        const line = readLine(Buffer.from(name === null ? '{' : `${name} ${status} x`))
        index.add(line, { offset: n, length: 1 })
      }
      const { found, missing, doubled, foreign, nameless } = index.tally()
      expect(index.ofPart(PART)).toHaveLength(found)
      expect(found + missing).toBe(4)
      expect(found + doubled + foreign + nameless).toBe(lines.length)
      const places = [...index.ofPart(PART), ...index.rest].map(({ offset }) => offset)
      expect(places.toSorted((a, b) => a - b)).toEqual(lines.map((_, n) => n))
      // Whatever was answered counts as answered.
      for (const row of [0, 1, 2, 3]) {
        const own = lines.flatMap(([name, status], n) => (name === requestId(PART, row) ? [{ n, status }] : []))
        const taken = own.find(({ status }) => status === '200') ?? own[0]
        if (taken !== undefined) expect(index.ofPart(PART)).toContainEqual(expect.objectContaining({ offset: taken.n }))
      }
    }),
  )
})
