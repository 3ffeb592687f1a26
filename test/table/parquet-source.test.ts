import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Value } from '../../src/domain/row.ts'
import { literal, withDuckDb } from '../../src/table/duckdb.ts'
import { openParquetSource, type TableSource } from '../../src/table/parquet-source.ts'
import { describeSql, openSqlSource } from '../../src/table/sql-source.ts'

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

async function rowsOf(source: TableSource, from: string | null = null) {
  const rows: (readonly Value[])[] = []
  const positions: string[] = []
  for await (const batch of source.read(from)) {
    rows.push(...batch.items.map((item) => item.values))
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
  const source = await openParquetSource([path])
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
  const source = await openParquetSource(files)
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
  await expect(openParquetSource([bytes])).rejects.toThrow('"picture"')
  const one = await parquet(join(dir, 'one.parquet'), 'select 1 as n')
  const two = await parquet(join(dir, 'two.parquet'), 'select 1 as m')
  await expect(openParquetSource([one, two])).rejects.toThrow('two.parquet has other columns')
  const text = join(dir, 'text.parquet')
  await writeFile(text, 'not a table')
  await expect(openParquetSource([text])).rejects.toMatchObject({ code: 'input_invalid' })
})

it('runs a query once, relative to the folder of the spec', async () => {
  const dir = await folder()
  await writeFile(join(dir, 'people.csv'), 'name,age\nAda,36\nGrace,85\n')
  const sql = "select name from 'people.csv' where age > 40;"
  expect(await describeSql(sql, dir)).toEqual(['name'])
  const source = await openSqlSource(sql, dir, join(dir, 'work'))
  expect(source.format).toBe('sql')
  expect((await rowsOf(source)).rows).toEqual([['Grace']])
  await writeFile(join(dir, 'people.csv'), 'name,age\nAlan,41\n')
  expect((await rowsOf(await openSqlSource(sql, dir, join(dir, 'work')))).rows).toEqual([['Grace']])
  const sums = await openSqlSource(
    'select sum(n) as total from (values (9007199254740993), (2)) t(n)',
    dir,
    join(dir, 'work'),
  )
  expect((await rowsOf(sums)).rows).toEqual([[9_007_199_254_740_995n]])
  await expect(openSqlSource('select * from nowhere', dir, join(dir, 'work'))).rejects.toThrow(/nowhere/)
})
