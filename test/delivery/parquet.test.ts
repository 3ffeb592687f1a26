import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ExportRequest, exportResults } from '../../src/delivery/export.ts'
import { parquetColumns, parquetValues } from '../../src/delivery/parquet.ts'
import type { ResultColumn } from '../../src/delivery/result-columns.ts'
import type { ResultRow } from '../../src/delivery/result-table.ts'
import { parseExact, stringifyExact } from '../../src/domain/exact-json.ts'
import type { Value } from '../../src/domain/row.ts'
import { literal, withDuckDb } from '../../src/table/duckdb.ts'
import { writeParquet } from '../../src/table/write-parquet.ts'
import { spec } from '../row/fixture.ts'
import { type PlannedRow, workplace } from './planned-job.ts'

const column = (type: ResultColumn['type']): ResultColumn => ({ name: 'c', from: 'input', type })

async function* batches(values: readonly Value[]): AsyncGenerator<readonly ResultRow[]> {
  for (const value of values) yield [{ index: 0, status: 'ok', values: [value] }]
}

async function typeOf(...values: readonly Value[]): Promise<string | undefined> {
  const forwards = await parquetColumns([column(null)], () => batches(values))
  const backwards = await parquetColumns([column(null)], () => batches(values.toReversed()))
  expect(backwards).toStrictEqual(forwards)
  return forwards[0]?.type
}

describe('parquetColumns', () => {
  it.each<[string, Value[]]>([
    ['string', []],
    ['string', [null]],
    ['string', ['a', null]],
    ['boolean', [true, null, false]],
    ['int64', [1, -2, null]],
    ['int64', [1, 2n ** 53n]],
    ['int64', [-(2n ** 63n), 2n ** 63n - 1n]],
    ['double', [1, 0.5]],
    ['double', [1e300]],
    // A double would change the large one, a 64-bit integer the fraction.
    ['json', [2n ** 53n, 0.5]],
    ['json', [2n ** 63n]],
    ['json', [1, 'a']],
    ['json', [true, 1]],
    ['json', [[1]]],
    ['json', [{ a: 1 }, 'x']],
  ])('%s holds %s', async (type, values) => expect(await typeOf(...values)).toBe(type))

  it('reads no rows where every type is known', async () => {
    const rows = () => {
      throw new Error('not asked for')
    }
    expect(await parquetColumns([column('double')], rows)).toStrictEqual([{ name: 'c', type: 'double' }])
  })
})

describe('parquetValues', () => {
  const row = (value: Value): ResultRow => ({ index: 7, status: 'ok', values: [value] })

  it.each<[ReturnType<typeof column>['type'] & string, Value, Value]>([
    ['double', 2n ** 60n, 2 ** 60],
    ['int64', 5, 5],
    ['int64', 2n ** 60n, 2n ** 60n],
    ['json', ['a', 1n], '["a",1]'],
    ['json', 'a', '"a"'],
    ['string', null, null],
  ])('%s takes %s', (type, value, held) => {
    expect(parquetValues(row(value), [{ name: 'c', type }])).toStrictEqual([held])
  })

  it('refuses what came after the types were settled and does not fit', () => {
    expect(() => parquetValues(row('late'), [{ name: 'c', type: 'int64' }])).toThrow(/row 7 .* c is not .*int64/)
  })
})

describe('a Parquet file', () => {
  const read = (path: string) =>
    withDuckDb(':memory:', async (connection) => {
      const file = literal(path)
      const types = await connection.runAndReadAll(`describe from read_parquet(${file})`)
      const rows = await connection.runAndReadAll(`from read_parquet(${file})`)
      return { types: types.getRows().map(([name, type]) => [name, type]), rows: rows.getRows() }
    })

  const triage = spec({
    schema: {
      type: 'object',
      properties: {
        topic: { enum: ['bug', 'other'] },
        account: { type: 'integer' },
        score: { type: 'number' },
        urgent: { type: 'boolean' },
        tags: { type: 'array', items: { type: 'string' } },
      },
    },
  })

  it('has the types that the schema and the values say', async () => {
    await using place = workplace()
    const output = '{"topic":"bug","account":9007199254740993,"score":1,"urgent":true,"tags":["a"]}'
    const source = await place.job({
      spec: triage,
      input: { format: 'jsonl', columns: ['id', 'at', 'mixed'] },
      chunks: [
        [
          { kind: 'row', values: [1, 'x', 'text'], outcome: { output } },
          {
            kind: 'row',
            values: [2n ** 60n, null, { a: 1 }],
            outcome: { state: 'failed', cause: 'refused', message: 'no' },
          },
        ],
      ],
    })
    const path = join(place.folder, 'out.parquet')
    const request: ExportRequest = { to: { kind: 'file', path }, format: 'parquet' }
    const written = await exportResults({ ...source, writeParquet }, request)
    expect(written).toStrictEqual({ rows: 2, ok: 1, failed: 1, pending: 0 })
    const { types, rows } = await read(path)
    expect(types).toStrictEqual([
      ['id', 'BIGINT'],
      ['at', 'VARCHAR'],
      ['mixed', 'VARCHAR'],
      ['topic', 'VARCHAR'],
      ['account', 'BIGINT'],
      ['score', 'DOUBLE'],
      ['urgent', 'BOOLEAN'],
      ['tags', 'VARCHAR'],
      ['_row_id', 'VARCHAR'],
      ['_row_index', 'BIGINT'],
      ['_chunk_id', 'BIGINT'],
      ['_status', 'VARCHAR'],
      ['_error', 'VARCHAR'],
      ['_error_message', 'VARCHAR'],
      ['_attempts', 'BIGINT'],
      ['_model', 'VARCHAR'],
      ['_lane', 'VARCHAR'],
      ['_input_tokens', 'BIGINT'],
      ['_output_tokens', 'BIGINT'],
      ['_cost_usd', 'DOUBLE'],
      ['_latency_ms', 'BIGINT'],
    ])
    expect(rows[0]?.slice(0, 12)).toStrictEqual([
      1n,
      'x',
      '"text"',
      'bug',
      9007199254740993n,
      1,
      true,
      '["a"]',
      '0',
      0n,
      0n,
      'ok',
    ])
    expect(rows[1]?.slice(0, 12)).toStrictEqual([
      2n ** 60n,
      null,
      '{"a":1}',
      null,
      null,
      null,
      null,
      null,
      '1',
      1n,
      0n,
      'failed',
    ])
    expect(readdirSync(place.folder).filter((name) => name.includes('out.parquet'))).toStrictEqual(['out.parquet'])
  })

  it('leaves nothing behind when it cannot be written', async () => {
    await using place = workplace()
    const source = await place.job({
      spec: triage,
      input: { columns: ['id'] },
      chunks: [[{ kind: 'row', values: ['1'], outcome: { output: '{}' } }]],
    })
    const path = join(place.folder, 'out.parquet')
    const request: ExportRequest = { to: { kind: 'file', path }, format: 'parquet' }
    const full = { ...source, writeParquet: () => Promise.reject(new Error('IO Error: no space left')) }
    await expect(exportResults(full, request)).rejects.toMatchObject({
      code: 'output_unwritable',
      message: `${path} cannot be written: IO Error: no space left`,
    })
    const broken = { ...source, writeParquet, readRows: () => Promise.reject(new RangeError('the snapshot is gone')) }
    await expect(exportResults(broken, request)).rejects.toThrow(RangeError)
    expect(existsSync(path)).toBe(false)
  })

  const value: fc.Arbitrary<Value> = fc.oneof(
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc
      .bigInt({ min: -(2n ** 64n), max: 2n ** 64n })
      .map((whole) => (Number.isSafeInteger(Number(whole)) ? Number(whole) : whole)),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    fc.string(),
    fc.array(fc.integer()),
  )

  it('loses nothing, whatever the values of its columns are', async () => {
    const column = fc.oneof(
      fc.array(value, { minLength: 4, maxLength: 4 }),
      fc.array(fc.oneof(fc.constant(null), fc.string()), { minLength: 4, maxLength: 4 }),
      fc.array(fc.integer(), { minLength: 4, maxLength: 4 }),
      fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 4, maxLength: 4 }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(column, { minLength: 1, maxLength: 4 }), async (columns) => {
        await using place = workplace()
        const rows = [0, 1, 2, 3].map(
          (at): PlannedRow => ({ kind: 'row', values: columns.map((cells) => cells[at] ?? null) }),
        )
        const names = columns.map((_, at) => `c${at}`)
        const source = await place.job({ spec: triage, input: { format: 'jsonl', columns: names }, chunks: [rows] })
        const path = join(place.folder, 'out.parquet')
        await exportResults({ ...source, writeParquet }, { to: { kind: 'file', path }, format: 'parquet' })
        const back = await read(path)
        columns.forEach((cells, at) => {
          const isText =
            back.types[at]?.[1] === 'VARCHAR' && !cells.every((cell) => cell === null || typeof cell === 'string')
          const held = back.rows.map((row) => row[at] as Value)
          const values = isText ? held.map((cell) => (cell === null ? null : parseExact(cell as string))) : held
          expect(values.map(plain)).toStrictEqual(cells.map(plain))
        })
      }),
      { numRuns: 15 },
    )
  })

  /** Whole numbers alike, whichever way they are held. */
  function plain(cell: Value): Value {
    if (typeof cell === 'bigint' && Number.isSafeInteger(Number(cell))) return Number(cell)
    if (Object.is(cell, -0)) return 0
    return typeof cell === 'object' && cell !== null ? parseExact(stringifyExact(cell)) : cell
  }
})
