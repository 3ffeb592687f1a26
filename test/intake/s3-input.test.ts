import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { describeInput } from '../../src/intake/describe-input.ts'
import { hashInput } from '../../src/intake/hash-input.ts'
import { literal, withDuckDb } from '../../src/table/duckdb.ts'
import { type S3Server, startS3Server } from '../blob/s3-server/server.ts'
import { runIntakeChild } from './intake-child.ts'
import { memoryManifest } from './memory-manifest.ts'
import { type Asked, inputOf, workplace } from './workplace.ts'

const COUNT = 30_000
const csv = Buffer.from(
  `id,text\n${Array.from({ length: COUNT }, (_, row) => `k${row},"text ${row}, and more"\n`).join('')}`,
)
const jsonl = Buffer.from(
  Array.from(
    { length: COUNT },
    (_, row) => `${JSON.stringify({ id: `k${row}`, text: `text ${row}, and more` })}\n`,
  ).join(''),
)

let server: S3Server
beforeAll(async () => {
  server = await startS3Server({ bucket: 'inputs', pageSize: 3 })
})
afterAll(() => server.close())
beforeEach(() => {
  server.objects.all.clear()
  server.requests.length = 0
  server.fault = null
})

const env = (name: string) => server.env[name]
const put = (key: string, bytes: Buffer) => server.objects.put(key, bytes, null)
const signal = new AbortController().signal

async function parquetBytes(): Promise<Buffer> {
  const { dir } = workplace()
  const path = join(dir, 'x.parquet')
  const sql = `select 'k' || i as id, 'text ' || i || ', and more' as text from range(${COUNT}) t(i)`
  await withDuckDb(
    ':memory:',
    async (connection) => void (await connection.run(`copy (${sql}) to ${literal(path)} (format parquet)`)),
  )
  return readFileSync(path)
}

async function errorOf(asked: Asked) {
  return workplace()
    .intake(asked, { env })
    .then(
      () => null,
      (error: unknown) => error,
    )
}

describe('an input in object storage', () => {
  it.each(['csv', 'tsv', 'jsonl', 'json', 'csv.gz', 'parquet'])('as .%s is read like a file', async (ending) => {
    const makers: Readonly<Record<string, () => Buffer | Promise<Buffer>>> = {
      csv: () => csv,
      tsv: () => Buffer.from(csv.toString().replaceAll(/^(\w+),/gm, '$1\t')),
      jsonl: () => jsonl,
      json: () => Buffer.from(`[${jsonl.toString().trimEnd().replaceAll('\n', ',')}]`),
      'csv.gz': () => gzipSync(csv),
      parquet: parquetBytes,
    }
    const bytes = (await makers[ending]?.()) as Buffer
    put(`Data 2026/input.${ending}`, bytes)
    const work = workplace()
    writeFileSync(join(work.dir, `input.${ending}`), bytes)
    const local = await work.intake({ source: `input.${ending}`, key: 'id' })
    const remote = await workplace().intake({ source: `s3://inputs/Data 2026/input.${ending}`, key: 'id' }, { env })
    expect(remote.values.length).toBe(COUNT)
    expect(remote.values).toStrictEqual(local.values)
    expect(remote.input).toStrictEqual(local.input)
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('sluice-input-'))).toStrictEqual([])
  })

  it('may be a glob, or all that lies in a folder', async () => {
    for (const [key, text] of [
      ['in/a.csv', 'id,text\na,1\n'],
      ['in/b.csv', 'id,text\nb,2\n'],
      ['in/deep/c.csv', 'id,text\nc,3\n'],
      ['in/deep/', ''],
      ['other.csv', 'id,text\nz,9\n'],
    ] as const) {
      put(key, Buffer.from(text))
    }
    const ids = async (source: string) =>
      (await workplace().intake({ source, key: 'id' }, { env })).values.map(({ id }) => id)
    expect(await ids('s3://inputs/in/*.csv')).toStrictEqual(['a', 'b'])
    expect(await ids('s3://inputs/in/**/*.csv')).toStrictEqual(['a', 'b', 'c'])
    expect(await ids('s3://inputs/in/')).toStrictEqual(['a', 'b', 'c'])
    expect(await ids('s3://inputs/{other,in/a}.csv')).toStrictEqual(['a', 'z'])
  })

  it('can be looked at by its beginning alone', async () => {
    put('large.csv', Buffer.concat([csv, ...Array.from({ length: 20 }, () => csv.subarray(8))]))
    const input = inputOf({ source: 's3://inputs/large.csv' })
    const preview = await describeInput({ input, baseDir: '/', env })
    expect(preview).toMatchObject({ columns: ['id', 'text'], files: ['s3://inputs/large.csv'], rowsTotal: null })
    expect(server.requests.length).toBeLessThan(8)
  })

  it('has a hash by which another one is noticed', async () => {
    put('a.csv', csv)
    const hash = () => hashInput({ input: inputOf({ source: 's3://inputs/a.csv' }), baseDir: '/', env, signal })
    const before = await hash()
    expect(await hash()).toBe(before)
    put('a.csv', csv.subarray(0, -100))
    expect(await hash()).not.toBe(before)
    server.objects.all.clear()
    expect(await hash()).toBeNull()
  })

  it('that is replaced while it is read is noticed', async () => {
    const large = Buffer.concat([csv, csv.subarray(8), csv.subarray(8)])
    put('a.csv', large)
    let reads = 0
    server.fault = (request) => {
      if (request === 'GET a.csv' && ++reads === 6) put('a.csv', Buffer.concat([large, csv.subarray(8)]))
      return null
    }
    expect(await errorOf({ source: 's3://inputs/a.csv' })).toMatchObject({
      code: 'input_changed',
      message: expect.stringMatching(/^s3:\/\/inputs\/a.csv cannot be read: it was replaced meanwhile/),
    })
    expect(reads).toBeGreaterThan(5)
  })

  it('that was replaced between two tries is not mixed with what it was', async () => {
    put('a.csv', csv)
    const work = workplace()
    const manifest = memoryManifest()
    const stop = new AbortController()
    const asked = { source: 's3://inputs/a.csv' }
    const first = work.intake(asked, {
      env,
      manifest: {
        ...manifest,
        async appendSegment(segment) {
          await manifest.appendSegment(segment)
          stop.abort(new Error('stopped'))
        },
      },
      signal: stop.signal,
    })
    await first.catch(() => undefined)
    put('a.csv', csv.subarray(0, -100))
    await expect(work.intake(asked, { env, manifest })).rejects.toMatchObject({ code: 'input_changed' })
  })

  it('that is missing, or cannot be meant, is told with what is near', async () => {
    put('in/tickets.csv', csv)
    expect(await errorOf({ source: 's3://inputs/in/tikets.csv' })).toMatchObject({
      code: 'input_missing',
      hint: expect.stringContaining('tickets.csv'),
    })
    expect(await errorOf({ source: 's3://inputs/in/*.json' })).toMatchObject({ code: 'input_missing' })
    expect(await errorOf({ source: 's3://inputs' })).toMatchObject({ code: 'input_invalid' })
    expect(await errorOf({ source: 's3://inputs/a.csv?endpoint=http://x' })).toMatchObject({
      code: 'input_invalid',
      hint: expect.stringContaining('SLUICE_S3_ENDPOINT'),
    })
    expect(await errorOf({ source: 's3://no-such-bucket/a/*.csv' })).toMatchObject({
      code: 'storage',
      message: expect.stringContaining('there is no such bucket'),
    })
  })

  it('that cannot be reached is no fault of the input', async () => {
    put('a.csv', csv)
    let reads = 0
    server.fault = (request) => (request === 'GET a.csv' && ++reads > 4 ? 'drop' : null)
    expect(await errorOf({ source: 's3://inputs/a.csv' })).toMatchObject({ code: 'storage' })
  })
})

/** Runs the child to its end, or kills it -9 behind a segment. Returns its last line. */
function run(dir: string, killBehind: number | null): Promise<string> {
  return runIntakeChild(dir, killBehind, { source: 's3://inputs/input.csv', env: server.env })
}

it('an intake from object storage that is killed -9 goes on by ranged reads, and comes to the same end', async () => {
  const dirs = await Promise.all([0, 1].map(() => mkdtemp(join(tmpdir(), 'sluice-kill-'))))
  onTestFinished(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))).then(() => undefined))
  const [plain = '', killed = ''] = dirs
  const rows = Array.from({ length: 120_000 }, (_, row) => `k${row},"${'text '.repeat(80)}\r\n${row}",x\r\n`)
  put('input.csv', Buffer.from(`id,text,more\r\n${rows.join('')}`))

  const whole = JSON.parse(await run(plain, null)) as { rows: number; chunks: unknown[] }
  const readsOfAll = server.requests.filter((request) => request.startsWith('GET')).length
  expect(whole.rows).toBe(120_000)
  expect(await run(killed, 2)).toBe('segment 2')
  server.requests.length = 0
  expect(JSON.parse(await run(killed, null))).toStrictEqual(whole)
  expect(server.requests.filter((request) => request.startsWith('GET')).length).toBeLessThan(readsOfAll)
}, 120_000)
