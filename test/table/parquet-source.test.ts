import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openFileBlob } from '../../src/blob/file.ts'
import type { Value } from '../../src/domain/row.ts'
import { findFiles } from '../../src/intake/find-files.ts'
import type { FoundFile } from '../../src/intake/input-file.ts'
import { openParquet } from '../../src/intake/parquet-source.ts'
import { openQuery } from '../../src/intake/query-source.ts'
import type { Source } from '../../src/intake/source.ts'
import { literal, withDuckDb } from '../../src/table/duckdb.ts'
import { readParquet } from '../../src/table/read-parquet.ts'

async function folder() {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-table-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function parquet(path: string, sql: string): Promise<string> {
  await withDuckDb(
    ':memory:',
    async (connection) => void (await connection.run(`copy (${sql}) to ${literal(path)} (format parquet)`)),
  )
  return path
}

async function openFiles(...paths: string[]): Promise<Source> {
  const found = await Promise.all(paths.map((path) => findFiles(path, '/')))
  return openParquet(found.flat())
}

async function rowsOf(source: Source, from: string | null = null) {
  const rows: (readonly Value[])[] = []
  const positions: string[] = []
  for await (const batch of source.read(from)) {
    rows.push(...batch.items.map((item) => (item.kind === 'row' ? item.values : [])))
    positions.push(batch.position)
  }
  return { rows, positions }
}

it('reads every type without loss', async () => {
  const path = await parquet(
    join(await folder(), 'types.parquet'),
    `select 7::bigint as small, 9007199254740993::bigint as large, 17014118346046923173168730371588410572::decimal(38,0) as huge,
      1.10::decimal(10,2) as money, 12345678901234567890.123456789::decimal(38,9) as long, date '2020-01-02' as day,
      timestamp '2020-01-02 03:04:05.123' as moment, timestamptz '2020-01-02 03:04:05+00' as zoned, [1, null] as list,
      {'a': 1, 'b': ['x']} as struct, 'naïve 🙂' as text, null::varchar as nothing, true as yes, 1.5::float as broken`,
  )
  const source = await openFiles(path)
  expect(source.columns.slice(0, 3)).toEqual(['small', 'large', 'huge'])
  expect(source.rowsTotal).toBe(1)
  const { rows } = await rowsOf(source)
  expect(rows).toEqual([
    [
      ...[
        7,
        9_007_199_254_740_993n,
        17_014_118_346_046_923_173_168_730_371_588_410_572n,
        1.1,
        '12345678901234567890.123456789',
      ],
      ...['2020-01-02', '2020-01-02T03:04:05.123', '2020-01-02T03:04:05Z', [1, null], { a: 1, b: ['x'] }],
      ...['naïve 🙂', null, true, 1.5],
    ],
  ])
})

it('goes on from every position as if it had never stopped, over several files', async () => {
  const dir = await folder()
  const files = [
    await parquet(join(dir, 'a.parquet'), 'select range as n from range(5000)'),
    await parquet(join(dir, 'b.parquet'), 'select range + 5000 as n from range(3000)'),
  ]
  const source = await openFiles(...files)
  const whole = await rowsOf(source)
  expect(whole.rows.map(([n]) => n)).toEqual(Array.from({ length: 8000 }, (_, index) => index))
  for (const position of whole.positions) {
    const { rows: given } = JSON.parse(position) as { rows: number }
    expect((await rowsOf(source, position)).rows).toEqual(whole.rows.slice(given))
  }
})

it('refuses bytes, other columns, and what is no Parquet file, by name', async () => {
  const dir = await folder()
  const bytes = await parquet(join(dir, 'bytes.parquet'), "select 1 as n, 'x'::blob as picture")
  await expect(openFiles(bytes)).rejects.toThrow('"picture"')
  const one = await parquet(join(dir, 'one.parquet'), 'select 1 as n')
  const two = await parquet(join(dir, 'two.parquet'), 'select 1 as m')
  await expect(openFiles(one, two)).rejects.toThrow('two.parquet has other columns')
  const text = join(dir, 'text.parquet')
  await writeFile(text, 'not a table')
  await expect(openFiles(text)).rejects.toMatchObject({ code: 'input_invalid' })
})

it('runs a query once, relative to the folder of the spec, and goes on in its result from every position', async () => {
  const dir = await folder()
  const spool = { blob: openFileBlob({ dir: join(dir, 'blobs') }), key: 'jobs/job_1/intake/query' }
  await writeFile(join(dir, 'people.csv'), 'name,age\nAda,36\nGrace,85\n')
  const sql = "select name from 'people.csv' where age > 40;"
  expect((await rowsOf(await openQuery({ sql, baseDir: dir, spool: null }))).rows).toEqual([['Grace']])
  const source = await openQuery({ sql, baseDir: dir, spool })
  expect(source).toMatchObject({ format: 'sql', columns: ['name'] })
  expect((await rowsOf(source)).rows).toEqual([['Grace']])
  await writeFile(join(dir, 'people.csv'), 'name,age\nAlan,41\n')
  expect((await rowsOf(await openQuery({ sql, baseDir: dir, spool }))).rows).toEqual([['Grace']])

  const many = { ...spool, key: 'jobs/job_2/intake/query' }
  const long = await openQuery({
    sql: "select range as n, 'x' || range as t from range(4500)",
    baseDir: dir,
    spool: many,
  })
  const whole = await rowsOf(long)
  expect(whole.rows.length).toBe(4500)
  expect(whole.positions.length).toBeGreaterThan(4)
  for (const [at, position] of whole.positions.entries()) {
    expect((await rowsOf(long, position)).rows).toEqual(whole.rows.slice(Math.min(4500, (at + 1) * 1000)))
  }
})

it('keeps sums exact, nested values as JSON, and what JSON lacks as text', async () => {
  const sql = `select sum(n) as total, 0.1::float as f, 'nan'::double as nan, {'m': map {'k': 1.25::decimal(9,2)}} as s,
    '{"a":12345678901234567890}'::json as j, uuid '123e4567-e89b-12d3-a456-426614174000' as u, 'infinity'::timestamp as t
    from (values (9007199254740993), (2)) t(n)`
  const { rows } = await rowsOf(await openQuery({ sql, baseDir: tmpdir(), spool: null }))
  expect(rows).toEqual([
    [
      ...[9_007_199_254_740_995n, 0.1, 'NaN', { m: [{ key: 'k', value: 1.25 }] }],
      ...[{ a: 12_345_678_901_234_567_890n }, '123e4567-e89b-12d3-a456-426614174000', 'infinity'],
    ],
  ])
})

it('refuses what is no single SELECT, and says what DuckDB says', async () => {
  const open = (sql: string) => openQuery({ sql, baseDir: tmpdir(), spool: null })
  await expect(open('select * from nowhere')).rejects.toThrow(/nowhere/)
  await expect(open('create table t (a int)')).rejects.toThrow('no SELECT')
  await expect(open('select 1; select 2')).rejects.toThrow('2 statements')
  await expect(open('select 1 as a, 2 as a')).rejects.toThrow('"a"')
  await expect(open("select [{'b': 'x'::blob}] as nested")).rejects.toThrow('"nested"')
})

it('reads rows that weigh much a few at a time, however little room they take in the file', async () => {
  const path = await parquet(
    join(await folder(), 'heavy.parquet'),
    `select i as id, case when i = 70 then repeat('c', 80000000) when i % 10 = 3 then repeat('b', 15000000) else 'short' end as text
      from range(100) t(i)`,
  )
  const source = await openFiles(path)
  const heard: string[] = []
  let last: string | null = null
  for await (const batch of source.read(null)) {
    const texts = batch.items.map((item) => (item.kind === 'row' ? String(item.values[1]) : item.message))
    expect(texts.reduce((sum, text) => sum + text.length, 0)).toBeLessThan(70_000_000)
    heard.push(...texts.map((text) => text.slice(-90)))
    if (heard.length < 50) last = batch.position
  }
  expect(heard).toHaveLength(100)
  expect(heard[70]).toMatch(/heavy\.parquet, row 71, cannot be read: it is longer than 64 MiB$/)
  expect(heard.filter((text) => text === 'short')).toHaveLength(89)
  const begun = (JSON.parse(last as string) as { rows: number }).rows
  const rest = (await rowsOf(source, last)).rows.map(([id]) => id ?? 70)
  expect(rest).toStrictEqual(Array.from({ length: 100 - begun }, (_, at) => begun + at))
})

it('refuses a file whose rows come to more than they may, before it reads one', async () => {
  const path = await parquet(
    join(await folder(), 'bomb.parquet'),
    "select repeat('a', 1000000) as text from range(2000)",
  )
  const [file] = (await findFiles(path, '/')) as [FoundFile]
  const rowsUnder = async (unpackedBytes: number) =>
    (await rowsOf(await openParquet([{ ...file, unpackedBytes }]))).rows.length
  await expect(rowsUnder(1_999_999_999)).rejects.toMatchObject({ code: 'file_too_large' })
})

it('weighs what lies in lists, structs and maps too', async () => {
  const path = await parquet(
    join(await folder(), 'nested.parquet'),
    "select [repeat('a', 1000), null, 'b'] as list, {'x': {'y': [[repeat('c', 2000)]]}, 'z': 1} as struct, map {'k': repeat('d', 4000)} as map, null::varchar[] as nothing",
  )
  const { bytes } = await readParquet({ path, name: 'nested', fromRow: 0, atOnceBytes: 1_000_000 })
  expect(bytes).toBe(1000 + 1 + 2000 + 8 + 1 + 4000)
})
