import { execFile, spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvRecord } from '../../src/delivery/csv.ts'
import { type ExportRequest, type ExportSource, exportResults, formatOfPath } from '../../src/delivery/export.ts'
import { jsonLines } from '../../src/delivery/jsonl.ts'
import { parseExact, stringifyExact } from '../../src/domain/exact-json.ts'
import type { Value } from '../../src/domain/row.ts'
import { SluiceError } from '../../src/errors.ts'
import { spec } from '../row/fixture.ts'
import { type PlannedJob, workplace } from './planned-job.ts'

const tickets = spec({ schema: { type: 'object', properties: { topic: { type: 'string' } } } })

type Place = ReturnType<typeof workplace>

async function threeRows(place: Place): Promise<ExportSource> {
  const job = await place.job({
    spec: tickets,
    input: { columns: ['id', 'body'] },
    chunks: [
      [
        { kind: 'row', id: 'a', values: ['a', 'line\nbreak'], outcome: { output: '{"topic":"bug"}' } },
        { kind: 'unreadable' },
      ],
      [{ kind: 'row', id: 'c', values: ['c', '=1+1'] }],
    ],
  })
  return exportable(job)
}

function exportable(job: PlannedJob): ExportSource {
  return { ...job, writeParquet: () => Promise.reject(new Error('not asked for')) }
}

const metadata =
  '_row_id,_row_index,_chunk_id,_status,_error,_error_message,_attempts,_model,_lane,_input_tokens,_output_tokens,_cost_usd,_latency_ms'

describe('exportResults', () => {
  it('writes CSV', async () => {
    await using place = workplace()
    const path = join(place.folder, 'new', 'folder', 'out.csv')
    const written = await exportResults(await threeRows(place), { to: { kind: 'file', path }, format: 'csv' })
    expect(written).toStrictEqual({ rows: 3, ok: 1, failed: 1, pending: 1 })
    expect(readFileSync(path, 'utf8')).toBe(
      [
        `id,body,topic,${metadata}`,
        'a,"line\nbreak",bug,a,0,0,ok,,,1,main-2026,live,10,2,0.0000015,20',
        ',,,line:3,1,0,failed,input_unreadable,in.csv:3: a quote is open,0,,,0,0,0,',
        'c,=1+1,,c,2,1,pending,,,,,,,,,',
        '',
      ].join('\n'),
    )
  })

  it('writes JSON lines to a stream, narrowed and without input', async () => {
    await using place = workplace()
    const texts: string[] = []
    const written = await exportResults(await threeRows(place), {
      to: { kind: 'stream', write: async (text) => void texts.push(text) },
      format: 'jsonl',
      only: 'failed',
      includeInput: false,
    })
    expect(written).toStrictEqual({ rows: 1, ok: 0, failed: 1, pending: 0 })
    expect(texts.join('')).toBe(
      '{"topic":null,"_row_id":"line:3","_row_index":1,"_chunk_id":0,"_status":"failed","_error":"input_unreadable",' +
        '"_error_message":"in.csv:3: a quote is open","_attempts":0,"_model":null,"_lane":null,"_input_tokens":0,' +
        '"_output_tokens":0,"_cost_usd":0,"_latency_ms":null}\n',
    )
  })

  it('compresses where the name asks for it, and defuses formulas where asked', async () => {
    await using place = workplace()
    const path = join(place.folder, 'out.csv.gz')
    await exportResults(await threeRows(place), { to: { kind: 'file', path }, format: 'csv', safeCsv: true })
    expect(gunzipSync(readFileSync(path)).toString()).toContain("\nc,'=1+1,,c,2,")
  })

  it('replaces a file in one step, through a link too, and leaves nothing else behind', async () => {
    await using place = workplace()
    const folder = join(place.folder, 'out')
    mkdirSync(folder)
    const path = join(folder, 'real.csv')
    writeFileSync(path, 'old')
    symlinkSync(path, join(folder, 'link.csv'))
    const source = await threeRows(place)
    const broken = { ...source, readRows: () => Promise.reject(new SluiceError('snapshot_damaged', 'gone')) }
    const request: ExportRequest = { to: { kind: 'file', path: join(folder, 'link.csv') }, format: 'csv' }
    await expect(exportResults(broken, request)).rejects.toMatchObject({ code: 'snapshot_damaged' })
    expect(readFileSync(path, 'utf8')).toBe('old')
    await exportResults(source, request)
    expect(readFileSync(path, 'utf8')).toContain('line:3')
    expect(readdirSync(folder).sort()).toStrictEqual(['link.csv', 'real.csv'])
  })

  it('says which file cannot be written, and why', async () => {
    await using place = workplace()
    const source = await threeRows(place)
    const to = (path: string): ExportRequest => ({ to: { kind: 'file', path }, format: 'csv' })
    await expect(exportResults(source, to(place.folder))).rejects.toMatchObject({
      code: 'output_unwritable',
      message: `${place.folder} is a folder`,
    })
    writeFileSync(join(place.folder, 'plain'), '')
    const below = join(place.folder, 'plain', 'out.csv')
    await expect(exportResults(source, to(below))).rejects.toMatchObject({ code: 'output_unwritable' })
  })

  it.skipIf(process.getuid?.() === 0)('says when a folder may not be written (root may write anywhere)', async () => {
    await using place = workplace()
    const folder = join(place.folder, 'locked')
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    const request: ExportRequest = { to: { kind: 'file', path: join(folder, 'out.csv') }, format: 'csv' }
    await expect(exportResults(await threeRows(place), request)).rejects.toMatchObject({ code: 'output_unwritable' })
  })

  it('says when the disk is full', async () => {
    await using place = workplace()
    const source = await threeRows(place)
    await expect(
      exportResults(source, { to: { kind: 'file', path: '/dev/full' }, format: 'csv' }),
    ).rejects.toMatchObject({ code: 'output_unwritable', message: expect.stringContaining('/dev/full') as string })
  })

  it('writes straight into a pipe', async () => {
    await using place = workplace()
    const path = join(place.folder, 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks: Buffer[] = []
    reader.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    const ended = new Promise((resolve) => reader.once('close', resolve))
    await exportResults(await threeRows(place), { to: { kind: 'file', path }, format: 'csv' })
    await ended
    expect(Buffer.concat(chunks).toString()).toContain('\nc,=1+1,')
  })

  it('stops when it is told to, and leaves no file', async () => {
    await using place = workplace()
    const path = join(place.folder, 'out.csv')
    const stop = new AbortController()
    const source = await threeRows(place)
    const stopping: ExportSource = {
      ...source,
      readRows: (chunk) => {
        stop.abort()
        return source.readRows(chunk)
      },
    }
    const request: ExportRequest = { to: { kind: 'file', path }, format: 'csv', signal: stop.signal }
    await expect(exportResults(stopping, request)).rejects.toMatchObject({ name: 'AbortError' })
    expect(existsSync(path)).toBe(false)
    expect(readdirSync(place.folder).filter((name) => name.includes('out.csv'))).toStrictEqual([])
  })

  it('has nothing to show before the input was read, and no Parquet for streams', async () => {
    await using place = workplace()
    const source = await threeRows(place)
    const stream: ExportRequest['to'] = { kind: 'stream', write: async () => undefined }
    const unread = { ...source, job: { ...source.job, input: null } }
    await expect(exportResults(unread, { to: stream, format: 'csv' })).rejects.toMatchObject({ code: 'job_state' })
    await expect(exportResults(source, { to: stream, format: 'parquet' })).rejects.toMatchObject({ code: 'usage' })
  })
})

describe('formatOfPath', () => {
  it.each([
    ['out.csv', 'csv'],
    ['OUT.CSV.GZ', 'csv'],
    ['a/b.jsonl', 'jsonl'],
    ['b.ndjson.gz', 'jsonl'],
    ['c.parquet', 'parquet'],
    ['c.parquet.gz', null],
    ['c.txt', null],
    ['csv', null],
  ])('%s → %s', (path, format) => expect(formatOfPath(path)).toBe(format))
})

const cellText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', "'", '=', ' ', '\t', ';', 'é', '\0', '\uFEFF') }),
)

const anyValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constant(null),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 70n }),
    cellText,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value')),
  ),
})).value

describe('csvRecord', () => {
  it('is read back as it was', () => {
    const record = fc.array(cellText, { minLength: 2, maxLength: 5 })
    fc.assert(
      fc.property(fc.array(record, { minLength: 1 }), (records) => {
        const text = records.map((values) => csvRecord(values, { safe: false })).join('')
        const read = parse(text, { relax_column_count: true, record_delimiter: '\n', bom: false }) as string[][]
        expect(read).toStrictEqual(records)
      }),
      { numRuns: 500 },
    )
  })

  it('holds any value as text that stands for it', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const text = csvRecord([value, null], { safe: false })
        const [[cell] = []] = parse(text, { record_delimiter: '\n' }) as string[][]
        if (value === null || typeof value === 'string') expect(cell).toBe(value ?? '')
        else if (typeof value === 'number') expect(Number(cell)).toBe(value)
        else expect(parseExact(cell as string)).toStrictEqual(parseExact(stringifyExact(value)))
      }),
    )
  })

  it.each([
    ['=1+1', "'=1+1"],
    ['+1+1', "'+1+1"],
    ['-2+3', "'-2+3"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\t=1', '"\'\t=1"'],
    ['\r=1', '"\'\r=1"'],
    ['＝1+1', "'＝1+1"],
    ['=a,"b"', '"\'=a,""b"""'],
    ['a;=1+1', '"a;=1+1"'],
    ['-12.5', '-12.5'],
    ['+49170123456', '+49170123456'],
    ['-1e-7', '-1e-7'],
    ['plain', 'plain'],
    [-5, '-5'],
    [{ a: '=1' }, '"{""a"":""=1""}"'],
  ] as const)('defuses %j', (value, cell) => {
    expect(csvRecord([value], { safe: true })).toBe(`${cell}\n`)
  })
})

describe('jsonLines', () => {
  it('keeps order, odd names and exact numbers', () => {
    const line = jsonLines(['b', '7', '__proto__', 'a "x"'])
    expect(line([1.5, 2n ** 64n, { z: 1, a: null }, '\ud800'])).toBe(
      '{"b":1.5,"7":18446744073709551616,"__proto__":{"z":1,"a":null},"a \\"x\\"":"\\ud800"}\n',
    )
  })

  it('is read back as it was', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { minLength: 1, maxLength: 4 }), (values) => {
        const names = values.map((_, at) => `c${at}`)
        const text = jsonLines(names)(values)
        const read = parseExact(text) as Readonly<Record<string, Value>>
        expect(names.map((name) => read[name])).toStrictEqual(values.map((value) => parseExact(stringifyExact(value))))
        expect(text.indexOf('\n')).toBe(text.length - 1)
      }),
    )
  })
})
