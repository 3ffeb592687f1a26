import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import type { Value } from '../../src/domain/row.ts'
import { literal, withDuckDb } from '../../src/table/duckdb.ts'
import { type ParquetColumn, writeParquet } from '../../src/table/write-parquet.ts'

const COLUMNS: readonly ParquetColumn[] = [
  { name: 'text "quoted"', type: 'string' },
  { name: 'whole', type: 'int64' },
  { name: 'broken', type: 'double' },
  { name: 'yes', type: 'boolean' },
  { name: 'nested', type: 'json' },
]

async function folder() {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-parquet-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

async function* given(rows: readonly (readonly Value[])[]) {
  yield* rows
}

const readBack = (path: string) =>
  withDuckDb(':memory:', async (connection) =>
    (await connection.runAndReadAll(`from read_parquet(${literal(path)})`)).getRows(),
  )

it('keeps every value, nulls and order', async () => {
  const dir = await folder()
  const path = join(dir, 'out.parquet')
  const rows: readonly (readonly Value[])[] = [
    ['naïve 🙂\n"x"', 9_007_199_254_740_993n, 0.1, true, { a: [1, null] }],
    ['', -5, -0, false, 'already text'],
    [null, null, null, null, null],
  ]
  await writeParquet({ path, columns: COLUMNS, rows: given(rows) })
  expect(await readBack(path)).toEqual([
    ['naïve 🙂\n"x"', 9_007_199_254_740_993n, 0.1, true, '{"a":[1,null]}'],
    ['', -5n, -0, false, 'already text'],
    [null, null, null, null, null],
  ])
  expect(await readdir(dir)).toEqual(['out.parquet'])
})

it('writes a table without rows, and many rows in their order', async () => {
  const dir = await folder()
  const empty = join(dir, 'empty.parquet')
  await writeParquet({ path: empty, columns: COLUMNS, rows: given([]) })
  expect(await readBack(empty)).toEqual([])
  const many = join(dir, 'many.parquet')
  const rows = Array.from({ length: 10_000 }, (_, index) => [index])
  await writeParquet({ path: many, columns: [{ name: 'n', type: 'int64' }], rows: given(rows) })
  expect((await readBack(many)).map(([n]) => Number(n))).toEqual(rows.map(([n]) => n))
})

it('names the column whose value does not fit, and leaves nothing behind', async () => {
  const dir = await folder()
  const path = join(dir, 'out.parquet')
  const columns: readonly ParquetColumn[] = [{ name: 'whole', type: 'int64' }]
  await expect(writeParquet({ path, columns, rows: given([['no number']]) })).rejects.toThrow('"whole"')
  expect(await readdir(dir)).toEqual([])
})

it('writes rows of many sizes, long ones too', async () => {
  const path = join(await folder(), 'long.parquet')
  const lengths = [...Array(100).fill(10), 3_000_000, ...Array(300).fill(20_000), 0]
  const rows = lengths.map((length, at) => [String(at).padEnd(length, 'x')])
  await writeParquet({ path, columns: [{ name: 'text', type: 'string' }], rows: given(rows) })
  expect((await readBack(path)).map(([text]) => String(text).length)).toEqual(rows.map(([text]) => text?.length))
})
