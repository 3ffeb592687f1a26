import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { cellReader } from './cell.ts'
import { literal, withDuckDb } from './duckdb.ts'

/** Rows that one batch has at the most. */
const BATCH_ROWS = 2048

/** A table that can be read from any of its rows; what intake reads (it has the same shape as a text source). */
export interface TableSource {
  readonly columns: readonly string[]
  readonly format: string
  readonly files: readonly string[]
  readonly bytesTotal: number
  readonly rowsTotal: number
  readonly notes: readonly string[]
  identify(): Promise<string>
  hash(signal?: AbortSignal): Promise<string>
  read(fromPosition: string | null): AsyncIterable<TableBatch>
  notesAt(position: string | null): readonly string[]
}

export interface TableBatch {
  readonly items: readonly {
    readonly kind: 'row'
    readonly values: readonly Value[]
    readonly line: null
    readonly file: number
  }[]
  readonly columns: readonly string[]
  readonly position: string
  readonly bytesRead: number
}

/**
 * Opens Parquet files as one table: rows file by file, in the order of `files`, each as it stands in its file. All must have the columns of the
 * first. Throws SluiceError `input_invalid` for what is no Parquet file, for other columns, and for a column of bytes.
 */
export async function openParquetSource(
  files: readonly string[],
  names: readonly string[] = files.map((file) => basename(file)),
): Promise<TableSource> {
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size))
  const shapes = await Promise.all(files.map((file, at) => shapeOf(file, names[at] ?? file)))
  const [first] = shapes
  if (first === undefined) throw new SluiceError('input_missing', 'there is no Parquet file to read')
  refuseOtherColumns(shapes, names)
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0)
  const rowsTotal = shapes.reduce((sum, shape) => sum + shape.rows, 0)
  return Object.freeze({
    columns: first.columns,
    format: 'parquet',
    files: names,
    bytesTotal,
    rowsTotal,
    notes: [`${rowsTotal} rows`],
    async identify() {
      const stats = await Promise.all(files.map((file) => stat(file)))
      return JSON.stringify(stats.map(({ size, mtimeMs }, at) => [files[at], size, mtimeMs]))
    },
    hash: (signal?: AbortSignal) => hashFiles(files, signal),
    read: (fromPosition: string | null) => readRows(files, first.columns, fromPosition, { bytesTotal, rowsTotal }),
    notesAt: () => [],
  })
}

interface Shape {
  readonly columns: readonly string[]
  readonly rows: number
}

async function shapeOf(file: string, name: string): Promise<Shape> {
  return withDuckDb(':memory:', async (connection) => {
    const described = await queried(connection, `describe select * from read_parquet(${literal(file)})`, name)
    const columns = described.map(([column]) => String(column))
    const bytes = described.find(([, type]) => /\bBLOB\b/.test(String(type)))
    if (bytes !== undefined) {
      throw new SluiceError(
        'input_invalid',
        `${name}: the column ${JSON.stringify(bytes[0])} holds bytes, which no prompt can`,
        {
          hint: 'Leave it out: input.sql with `select * exclude (…)`.',
        },
      )
    }
    const [count] = await queried(connection, `select count(*) from read_parquet(${literal(file)})`, name)
    return { columns, rows: Number(count?.[0]) }
  })
}

async function queried(connection: DuckDBConnection, sql: string, name: string) {
  try {
    return (await connection.runAndReadAll(sql)).getRows()
  } catch (error) {
    throw duckDbError(error, name)
  }
}

/** What DuckDB says of a file or a query, in its first line. */
export function duckDbError(error: unknown, name: string): SluiceError {
  const message = error instanceof Error ? error.message : String(error)
  return new SluiceError('input_invalid', `${name}: ${message.split('\n')[0]}`, { cause: error })
}

function refuseOtherColumns(shapes: readonly Shape[], names: readonly string[]): void {
  const expected = JSON.stringify(shapes[0]?.columns)
  const other = shapes.findIndex((shape) => JSON.stringify(shape.columns) !== expected)
  if (other < 0) return
  throw new SluiceError('input_invalid', `${names[other]} has other columns than ${names[0]}`, {
    hint: `Expected ${shapes[0]?.columns.join(', ')}; got ${shapes[other]?.columns.join(', ')}.`,
  })
}

/** The position is how many rows of the whole were given. */
async function* readRows(
  files: readonly string[],
  columns: readonly string[],
  fromPosition: string | null,
  total: { readonly bytesTotal: number; readonly rowsTotal: number },
): AsyncIterable<TableBatch> {
  let given = 0
  let skip = fromPosition === null ? 0 : (JSON.parse(fromPosition) as { rows: number }).rows
  const read = await cellReader()
  for (const [file, path] of files.entries()) {
    const rows = (await shapeOf(path, path)).rows
    if (skip >= rows) {
      skip -= rows
      given += rows
      continue
    }
    given += skip
    for await (const block of blocksOf(path, skip)) {
      const items = block.map((row) => ({ kind: 'row' as const, values: row.map(read), line: null, file }))
      given += items.length
      const bytesRead = Math.floor((total.bytesTotal * given) / Math.max(1, total.rowsTotal))
      yield { items, columns, position: JSON.stringify({ rows: given }), bytesRead }
    }
    skip = 0
  }
}

async function* blocksOf(path: string, offset: number) {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(':memory:', { memory_limit: '512MB', threads: '2' })
  try {
    const connection = await instance.connect()
    const result = await connection.stream(`select * from read_parquet(${literal(path)}) offset ${offset}`)
    for await (const rows of result.yieldRows()) {
      for (let at = 0; at < rows.length; at += BATCH_ROWS) yield rows.slice(at, at + BATCH_ROWS)
    }
  } finally {
    instance.closeSync()
  }
}

/** sha-256 (hex) over the bytes of the files, one after the other. */
async function hashFiles(files: readonly string[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    for await (const bytes of createReadStream(file, signal === undefined ? {} : { signal }))
      hash.update(bytes as Buffer)
  }
  return hash.digest('hex')
}
