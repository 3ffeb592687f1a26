import { rename, rm } from 'node:fs/promises'
import type { DuckDBAppender } from '@duckdb/node-api'
import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { processToken } from '../runtime.ts'
import { identifier, literal, withDuckDb } from './duckdb.ts'

/** `json`: JSON text; a value that is none yet is written as it. */
export type ParquetType = 'string' | 'int64' | 'double' | 'boolean' | 'json'

export interface ParquetColumn {
  readonly name: string
  readonly type: ParquetType
}

export interface ParquetTable {
  readonly path: string
  readonly columns: readonly ParquetColumn[]
  /** One value a column, in order; `null` in any of them. */
  readonly rows: AsyncIterable<readonly Value[]>
}

const SQL_TYPES: Readonly<Record<ParquetType, string>> = {
  string: 'VARCHAR',
  int64: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  json: 'VARCHAR',
}

/** Rows that Parquet holds together, and DuckDB in memory until they are written. */
const ROW_GROUP_ROWS = 20_480

/** Rows between two looks at whether they can go to disk. */
const FLUSH_ROWS = 20_000

/**
 * Writes a Parquet file (zstd), in row order and in flat memory; it appears at `path` only when it is whole.
 * A value that its column's type cannot hold exactly is an error naming row and column, never changed. Throws `output_unwritable`.
 */
export async function writeParquet({ path, columns, rows }: ParquetTable): Promise<void> {
  const token = processToken()
  // Rows are kept in a database file until all are there: Parquet's footer comes last, and memory is not the place for them.
  const staging = `${path}.${token}.staging`
  const temporary = `${path}.${token}.part`
  try {
    await withDuckDb(staging, async (connection) => {
      const list = columns.map(({ name, type }) => `${identifier(name)} ${SQL_TYPES[type]}`).join(', ')
      await connection.run(`CREATE TABLE result (${list})`)
      await append(await connection.createAppender('result'), columns, rows)
      await connection.run(`COPY result TO ${literal(temporary)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`)
      await rename(temporary, path)
    })
  } catch (error) {
    if (error instanceof SluiceError || !(error instanceof Error)) throw error
    throw new SluiceError('output_unwritable', `${path} cannot be written: ${error.message}`, { cause: error })
  } finally {
    for (const left of [temporary, staging, `${staging}.wal`]) await rm(left, { force: true })
  }
}

async function append(
  appender: DuckDBAppender,
  columns: readonly ParquetColumn[],
  rows: ParquetTable['rows'],
): Promise<void> {
  let count = 0
  for await (const row of rows) {
    for (let at = 0; at < columns.length; at++)
      appendValue(appender, columns[at] as ParquetColumn, row[at] ?? null, count)
    appender.endRow()
    count += 1
    if (count % FLUSH_ROWS === 0) appender.flushSync()
  }
  appender.closeSync()
}

function appendValue(appender: DuckDBAppender, { name, type }: ParquetColumn, value: Value, row: number): void {
  if (value === null) appender.appendNull()
  else if (type === 'json' || type === 'string')
    appender.appendVarchar(typeof value === 'string' ? value : stringifyExact(value))
  else if (type === 'boolean' && typeof value === 'boolean') appender.appendBoolean(value)
  else if (type === 'double' && typeof value === 'number') appender.appendDouble(value)
  else if (type === 'int64' && isInt64(value)) appender.appendBigInt(BigInt(value))
  else {
    const shown = stringifyExact(value).slice(0, 80)
    throw new SluiceError('output_unwritable', `row ${row}, column "${name}": ${shown} is no ${type}`, {
      hint: 'Write it as CSV or JSONL, or change the type in the output schema.',
    })
  }
}

function isInt64(value: Value): value is number | bigint {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value
}
