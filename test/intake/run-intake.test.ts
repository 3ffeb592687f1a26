import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BlobMissing } from '../../src/blob/blob.ts'
import { parseExact } from '../../src/domain/exact-json.ts'
import { SluiceError } from '../../src/errors.ts'
import { describeInput } from '../../src/intake/describe-input.ts'
import { removeIntakeFiles } from '../../src/intake/intake-files.ts'
import { readChunk } from '../../src/intake/read-chunk.ts'
import { SEGMENT_BYTES } from '../../src/intake/snapshot.ts'
import { sha256 } from '../../src/runtime.ts'
import { collect } from '../blob/collect.ts'
import { memoryManifest } from './memory-manifest.ts'
import { inputOf, type Workplace, workplace } from './workplace.ts'

const NO_ENV = () => undefined

function csvOf(rows: number, textOf: (row: number) => string = (row) => `text ${row}`): string {
  return `id,text\n${Array.from({ length: rows }, (_, row) => `k${row},${textOf(row)}\n`).join('')}`
}

function place(text: string, name = 'input.csv'): Workplace {
  const work = workplace()
  writeFileSync(join(work.dir, name), text)
  return work
}

async function errorOf(promise: Promise<unknown>): Promise<SluiceError> {
  const error = await promise.then(
    () => null,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SluiceError)
  return error as SluiceError
}

describe('the manifest', () => {
  it.each([
    [1, 10],
    [95, 10],
    [1000, 50],
    [3999, 200],
    [4000, 200],
    [10_003, 200],
  ])('cuts %i rows into chunks of %i', async (rows, size) => {
    const { manifest, values } = await place(csvOf(rows)).intake({ source: 'input.csv' })
    const sizes = manifest.chunks().map((chunk) => chunk.rows)
    expect(sizes).toStrictEqual([
      ...Array(Math.floor(rows / size)).fill(size),
      ...(rows % size === 0 ? [] : [rows % size]),
    ])
    expect(values.map((row) => row.index)).toStrictEqual(Array.from({ length: rows }, (_, at) => at))
    expect(values.at(-1)).toStrictEqual({
      index: rows - 1,
      id: String(rows - 1),
      values: [`k${rows - 1}`, `text ${rows - 1}`],
    })
  })

  it('takes the size that the spec gives', async () => {
    const { manifest } = await place(csvOf(100)).intake({ source: 'input.csv', chunkRows: 33 })
    expect(manifest.chunks().map((chunk) => [chunk.chunkNo, chunk.firstRow, chunk.rows])).toStrictEqual([
      [0, 0, 33],
      [1, 33, 33],
      [2, 66, 33],
      [3, 99, 1],
    ])
  })

  it('keeps unreadable lines in their place', async () => {
    const { manifest, values, input, rows } = await place('id,text\na,1\nb\nc,3\n').intake({
      source: 'input.csv',
      key: 'id',
    })
    expect(rows).toBe(3)
    expect(input.unreadable).toBe(1)
    expect(values.map((row) => [row.index, row.id])).toStrictEqual([
      [0, 'a'],
      [2, 'c'],
    ])
    expect(manifest.unreadable()).toStrictEqual([
      {
        chunkNo: 0,
        index: 1,
        line: 3,
        file: 'input.csv',
        excerpt: 'b',
        message: 'input.csv:3 cannot be read: it has 1 field, where 2 are expected',
      },
    ])
  })

  it('never has a segment over its size, nor a chunk in two', async () => {
    const work = place(csvOf(12, (row) => 'x'.repeat(row % 3 === 0 ? 9_000_000 : 10)))
    const { manifest, values, blob } = { ...(await work.intake({ source: 'input.csv' })), blob: work.blob }
    expect(manifest.segments.length).toBeGreaterThan(3)
    for (const segment of manifest.segments) {
      expect(segment.bytes).toBeLessThanOrEqual(SEGMENT_BYTES)
      expect(sha256(await blob.read(segment.key))).toBe(segment.sha256)
      expect(segment.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)).toBe(segment.bytes)
    }
    expect(values.length).toBe(12)
  })

  it('bounds what one commit holds when no line can be read', async () => {
    const work = place(`a,b\n${'x\n'.repeat(40_000)}`)
    const { manifest, rows, values } = await work.intake({ source: 'input.csv' })
    expect([rows, values.length, manifest.unreadable().length]).toStrictEqual([40_000, 0, 40_000])
    for (const segment of manifest.segments) expect(segment.unreadable.length).toBeLessThan(8300)
  })

  it('of a header alone has no rows, and that is no error', async () => {
    const { rows, manifest, columns, inputHash } = await place('id,text\n').intake({ source: 'input.csv', key: 'id' })
    expect([rows, manifest.segments.length, columns]).toStrictEqual([0, 0, ['id', 'text']])
    expect(inputHash).toBe(sha256('id,text\n'))
  })
})

describe('an intake that was killed', () => {
  const text = csvOf(60_000, (row) => (row % 5000 === 7 ? 'ragged,line' : `"${'ä'.repeat(row % 300)}\n"`))

  it('goes on behind its last segment, and ends as if it had never stopped', async () => {
    const whole = await place(text).intake({ source: 'input.csv', key: 'id' })
    expect(whole.manifest.segments.length).toBeGreaterThan(1)
    for (let killed = 0; killed < whole.manifest.segments.length; killed++) {
      const work = place(text)
      let die = true
      const manifest = memoryManifest((segment) => {
        if (die && segment.segmentNo === killed) throw new Error('killed')
      })
      const input = join(work.dir, 'input.csv')
      utimesSync(input, 1, 1)
      await expect(work.intake({ source: 'input.csv', key: 'id' }, { manifest })).rejects.toThrow('killed')
      die = false
      const resumed = await work.intake({ source: 'input.csv', key: 'id' }, { manifest })
      expect(digest(resumed.values)).toBe(digest(whole.values))
      expect(resumed.input).toStrictEqual(whole.input)
      expect(resumed.inputHash).toBe(whole.inputHash)
      expect(manifest.unreadable()).toStrictEqual(whole.manifest.unreadable())
      expect(manifest.segments.map(({ position: _, ...segment }) => segment)).toStrictEqual(
        whole.manifest.segments.map(({ position: _, ...segment }) => segment),
      )
    }
  })

  it('finds the keys that came twice on both sides of the kill', async () => {
    const work = place(`${text}k11,again\n`)
    let die = true
    const manifest = memoryManifest((segment) => {
      if (die && segment.segmentNo === 1) throw new Error('killed')
    })
    await expect(work.intake({ source: 'input.csv', key: 'id' }, { manifest })).rejects.toThrow('killed')
    die = false
    const error = await errorOf(work.intake({ source: 'input.csv', key: 'id' }, { manifest }))
    expect(error.code).toBe('duplicate_key')
    expect(error.message).toContain('"k11"')
  })

  it('is refused when the input is another by then', async () => {
    const work = place(text)
    const manifest = memoryManifest((segment) => {
      if (segment.segmentNo === 1) throw new Error('killed')
    })
    await expect(work.intake({ source: 'input.csv' }, { manifest })).rejects.toThrow('killed')
    writeFileSync(join(work.dir, 'input.csv'), text.replace('k5,', 'K5,'))
    expect(await errorOf(work.intake({ source: 'input.csv' }, { manifest }))).toMatchObject({
      code: 'input_changed',
      message: expect.stringContaining('input.csv'),
    })
  })

  it('can be stopped by its signal, and leaves no half segment', async () => {
    const work = place(text)
    const stop = new AbortController()
    const reason = new Error('stopped')
    const intake = work.intake(
      { source: 'input.csv' },
      { signal: stop.signal, onProgress: () => stop.abort(reason), runtime: { elapsed: counting() } },
    )
    await expect(intake).rejects.toBe(reason)
    expect(await collect(work.blob.list(''))).toStrictEqual([])
  })

  it('gives what it gave when the manifest is closed already', async () => {
    const work = place('id\na\n')
    const first = await work.intake({ source: 'input.csv' })
    await removeIntakeFiles(work.blob, 'job_1')
    const chunks = {
      ...first.manifest,
      intakeProgress: async () => ({ ...(await first.manifest.intakeProgress(1)), done: true }),
    }
    const job = { id: 'job_1', jobNo: 1, input: first.input, inputHash: first.inputHash, rowsTotal: 1 }
    const again = await work.intake({ source: 'gone.csv' }, { manifest: chunks, job })
    expect(again).toMatchObject({ rows: 1, input: first.input, inputHash: first.inputHash, columns: ['id'] })
  })
})

/** Sixty thousand rows are compared faster so. */
const digest = (values: unknown) => sha256(JSON.stringify(values))

function counting(): () => number {
  let now = 0
  return () => (now += 1000)
}

describe('keys', () => {
  it('that two rows have are named with both places, and counted', async () => {
    const error = await errorOf(
      place('id,text\na,1\nb,2\n\na,3\nb,4\nc,5\na,6\n').intake({ source: 'input.csv', key: 'id' }),
    )
    expect(error).toMatchObject({
      code: 'duplicate_key',
      message:
        'two rows have the same id: "a" at input.csv:2 and input.csv:5; "b" at input.csv:3 and input.csv:6; "a" at input.csv:2 and input.csv:8',
      place: { file: 'input.csv', line: 5 },
    })
  })

  it('are found among many, over several files', async () => {
    const work = workplace()
    writeFileSync(join(work.dir, 'a.csv'), csvOf(30_000))
    writeFileSync(join(work.dir, 'b.csv'), `id,text\nnew,1\nk29999,2\n`)
    const error = await errorOf(work.intake({ source: '*.csv', key: 'id' }))
    expect(error.message).toBe('two rows have the same id: "k29999" at a.csv:30001 and b.csv:3')
  })

  it('that are empty, missing or no single value name their line', async () => {
    expect(await errorOf(place('id,text\na,1\n,2\n').intake({ source: 'input.csv', key: 'id' }))).toMatchObject({
      code: 'input_invalid',
      message: 'input.csv:3: the key column "id" is empty',
    })
    const lists = place('{"id":1}\n{"id":[1]}\n', 'input.jsonl')
    expect((await errorOf(lists.intake({ source: 'input.jsonl', key: 'id' }))).message).toBe(
      'input.jsonl:2: the key column "id" holds a list or an object',
    )
    expect(await errorOf(place('ticket_id,text\n').intake({ source: 'input.csv', key: 'tiket_id' }))).toMatchObject({
      message: 'input.key: the input has no column "tiket_id"',
      hint: 'Did you mean "ticket_id"?',
    })
  })

  it('are the same as text: 1 and "1" are one key', async () => {
    const error = await errorOf(
      place('{"id":1}\n{"id":"1"}\n', 'input.jsonl').intake({ source: 'input.jsonl', key: 'id' }),
    )
    expect(error.code).toBe('duplicate_key')
  })
})

describe('a selection', () => {
  it('of the first rows, and a limit, count unreadable lines', async () => {
    const text = 'id\na\nx,y\nb\nc\nd\n'
    const first = await place(text).intake({ source: 'input.csv' }, { selection: { kind: 'first', n: 3 } })
    expect([first.rows, first.values.map((row) => row.values[0])]).toStrictEqual([3, ['a', 'b']])
    const limited = await place(text).intake({ source: 'input.csv', limit: 4 }, { selection: { kind: 'first', n: 9 } })
    expect(limited.rows).toBe(4)
    expect(limited.inputHash).not.toBe(sha256(text))
  })

  it('of keys takes those rows in the order of the input, and says which are not there', async () => {
    const work = place(csvOf(5000))
    const selection = { kind: 'keys', keys: ['k4000', 'k3'] } as const
    const { values } = await work.intake({ source: 'input.csv', key: 'id' }, { selection })
    expect(values.map((row) => row.id)).toStrictEqual(['k3', 'k4000'])
    const byIndex = await work.intake({ source: 'input.csv' }, { selection: { kind: 'keys', keys: ['7'] } })
    expect(byIndex.values.map((row) => row.values[0])).toStrictEqual(['k7'])
    const missing = work.intake(
      { source: 'input.csv', key: 'id' },
      { selection: { kind: 'keys', keys: ['k1', 'nope'] } },
    )
    expect(await errorOf(missing)).toMatchObject({ code: 'row_not_found', message: 'the input has no row "nope"' })
  })

  it('by sample is even, repeatable, and in order', async () => {
    const work = place(csvOf(1000))
    const draw = async (seed: number) =>
      (
        await work.intake({ source: 'input.csv', key: 'id' }, { selection: { kind: 'sample', n: 100, seed } })
      ).values.map((row) => Number(row.id.slice(1)))
    const drawn = await draw(1)
    expect(drawn.length).toBe(100)
    expect(drawn).toStrictEqual(drawn.toSorted((a, b) => a - b))
    expect(await draw(1)).toStrictEqual(drawn)
    expect(await draw(2)).not.toStrictEqual(drawn)
    const all: number[] = []
    for (let seed = 1; seed <= 8; seed++) all.push(...(await draw(seed)))
    const mean = all.reduce((sum, one) => sum + one, 0) / all.length
    expect(mean).toBeGreaterThan(450)
    expect(mean).toBeLessThan(550)
    const few = await place(csvOf(3)).intake({ source: 'input.csv' }, { selection: { kind: 'sample', n: 10, seed: 1 } })
    expect(few.rows).toBe(3)
  })
})

describe('the input', () => {
  it('is found, or the error says what is there instead', async () => {
    const work = place('id\na\n', 'tickets.csv')
    mkdirSync(join(work.dir, 'folder'))
    writeFileSync(join(work.dir, 'notes.md'), '# x')
    expect(await errorOf(work.intake({ source: 'tikets.csv' }))).toMatchObject({
      code: 'input_missing',
      hint: 'Did you mean "tickets.csv"?',
    })
    expect(await errorOf(work.intake({ source: 'nowhere/x.csv' }))).toMatchObject({ code: 'input_missing' })
    expect(await errorOf(work.intake({ source: '*.parquet' }))).toMatchObject({ code: 'input_missing' })
    expect(await errorOf(work.intake({ source: 'folder' }))).toMatchObject({
      code: 'input_invalid',
      message: 'input.source folder is a folder',
    })
    expect(await errorOf(work.intake({ source: 'notes.md' }))).toMatchObject({
      code: 'input_invalid',
      hint: expect.stringContaining('input.format'),
    })
    expect(await errorOf(work.intake({ source: 'https://bucket/x.csv' }))).toMatchObject({ code: 'not_yet_supported' })
    expect((await work.intake({ source: 'notes.md', format: 'csv' })).columns).toStrictEqual(['# x'])
  })

  it('of several files is read in the order of their names; their headers must agree', async () => {
    const work = workplace()
    for (const [name, text] of Object.entries({
      'b.csv': 'id,n\nb,2\n',
      'a.csv': 'id,n\na,1\n',
      'c.csv': 'id;n\nc;3',
    })) {
      writeFileSync(join(work.dir, name), text)
    }
    const { values, input, inputHash } = await work.intake({ source: '{a,b,c}.csv' })
    expect(values.map((row) => row.values)).toStrictEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ])
    expect(input).toMatchObject({ files: 3, notes: expect.arrayContaining(['3 files']) })
    // What `sha256sum a.csv b.csv c.csv | sha256sum` prints.
    const sums = ['a.csv', 'b.csv', 'c.csv'].map((name) => `${sha256(readFileSync(join(work.dir, name)))}  ${name}\n`)
    expect(inputHash).toBe(sha256(sums.join('')))
    writeFileSync(join(work.dir, 'd.csv'), 'id,m\n')
    expect((await errorOf(work.intake({ source: '*.csv' }))).message).toBe(
      'd.csv has other columns than a.csv: it lacks "n" and it also has "m"',
    )
    writeFileSync(join(work.dir, 'e.jsonl'), '{}\n')
    expect((await errorOf(work.intake({ source: '*.*' }))).message).toBe('a.csv is csv, and e.jsonl is jsonl')
  })

  it('can be a query, whose rows keep their order over a kill', async () => {
    const work = place(csvOf(3000), 'rows.csv')
    const asked = { sql: "select id, text, length(text)::bigint as n from 'rows.csv' order by random()", key: 'id' }
    let die = true
    const manifest = memoryManifest(() => {
      if (die) throw new Error('killed')
    })
    await expect(work.intake(asked, { manifest })).rejects.toThrow('killed')
    die = false
    const spooled = await work.blob.read('jobs/job_1/intake/query.ndjson')
    const { values, input } = await work.intake(asked, { manifest })
    const ids = spooled
      .toString()
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => (JSON.parse(line) as string[])[0])
    expect(values.map((row) => row.id)).toStrictEqual(ids)
    expect(values[0]?.values[2]).toBe(values[0]?.id.replace('k', 'text ').length)
    expect(input).toMatchObject({ format: 'sql', files: 0 })
  })

  it('can be looked at without reading it all', async () => {
    const { dir } = place(csvOf(50_000))
    const preview = await describeInput({
      input: inputOf({ source: 'input.csv', key: 'id' }),
      baseDir: dir,
      env: NO_ENV,
    })
    expect(preview).toMatchObject({ columns: ['id', 'text'], format: 'csv', files: ['input.csv'], rowsTotal: null })
    expect(preview.rows.slice(0, 2)).toStrictEqual([
      ['k0', 'text 0'],
      ['k1', 'text 1'],
    ])
    expect(preview.rowsEstimated).toBeGreaterThan(35_000)
    expect(preview.rowsEstimated).toBeLessThan(65_000)
    const small = place('id\na\n,x\n')
    expect(
      await describeInput({ input: inputOf({ source: 'input.csv' }), baseDir: small.dir, env: NO_ENV }),
    ).toMatchObject({
      rowsTotal: 2,
      unreadable: [{ line: 3 }],
    })
    const query = { input: inputOf({ sql: "select * from 'input.csv'" }), baseDir: dir, env: NO_ENV }
    expect((await describeInput(query)).columns).toStrictEqual(['id', 'text'])
  })
})

describe('a chunk', () => {
  it('that is not as it was written is never read', async () => {
    const work = place(csvOf(100))
    const { manifest, columns } = await work.intake({ source: 'input.csv' })
    const chunk = manifest.chunks()[1]!
    const bytes = await work.blob.read(chunk.segmentKey)
    await work.blob.put(chunk.segmentKey, Buffer.from(bytes.toString().replace('k15', 'k16')))
    expect(await errorOf(readChunk(work.blob, chunk, columns, null))).toMatchObject({ code: 'snapshot_damaged' })
    await work.blob.put(chunk.segmentKey, bytes.subarray(0, 30))
    expect((await errorOf(readChunk(work.blob, chunk, columns, null))).cause).toBeInstanceOf(BlobMissing)
    await work.blob.put(chunk.segmentKey, bytes)
    expect((await readChunk(work.blob, chunk, columns, 0))[0]).toStrictEqual({
      index: 10,
      id: 'k10',
      values: ['k10', 'text 10'],
    })
  })
})

it('keeps any JSON value as it was, over snapshot and back', async () => {
  const json = fc.json({ maxDepth: 2 })
  await fc.assert(
    fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 20 }), async (samples) => {
      const work = place(samples.map((sample, at) => `{"id":${at},"v":${sample}}\n`).join(''), 'input.jsonl')
      const { values } = await work.intake({ source: 'input.jsonl', key: 'id' })
      expect(values.map((row) => row.values[1])).toStrictEqual(samples.map((sample) => parseExact(sample)))
    }),
    { numRuns: 40 },
  )
})

const TRAIN = resolve(import.meta.dirname, '../../../shared/data/banking77/train.csv')
it.skipIf(!existsSync(TRAIN))('takes the 10,003 rows of banking77 (skipped without ../shared/data)', async () => {
  const { rows, input, inputHash, values } = await workplace().intake({ source: TRAIN })
  expect(rows).toBe(10_003)
  expect(values.length).toBe(10_003)
  expect(inputHash).toBe(sha256(readFileSync(TRAIN)))
  expect(input.notes).toStrictEqual(['delimiter ","', 'header in the first line'])
})
