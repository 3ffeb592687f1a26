import { rename, rm } from 'node:fs/promises'
import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api'
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

/** Text and rows that are handed over to DuckDB at a time. */
const FLUSH_CHARS = 4_000_000
const FLUSH_ROWS = 20_000

/** DuckDB works on so many rows at once, however long they are. */
const VECTOR_ROWS = 2048

/** What a row group of Parquet should have, and the most rows of one: both as large as is useful to readers. */
const GROUP_CHARS = 8_000_000
const GROUP_ROWS = 60 * VECTOR_ROWS

/** Megabytes for DuckDB: more, up to its limit, would only be cache; for long rows it needs several times a vector of them. */
const MEMORY_MB = 64
const VECTORS_IN_MEMORY = 12

/** How long the rows are that were written so far. */
interface Extent {
  rows: number
  chars: number
}

/**
 * Writes a Parquet file (zstd), in row order; it appears at `path` only when it is whole. Memory does not grow with the number of rows.
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
      // The rows come in order through one appender: a second thread would only hold a second group in memory.
      await connection.run('SET threads = 1')
      await connection.run(`CREATE TABLE result (${list})`)
      const groupRows = groupRowsFor(await append(connection, columns, rows))
      const options = `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${groupRows}`
      await connection.run(`COPY result TO ${literal(temporary)} (${options})`)
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
  connection: DuckDBConnection,
  columns: readonly ParquetColumn[],
  rows: ParquetTable['rows'],
): Promise<Extent> {
  const memory = createMemory(connection)
  const appender = await connection.createAppender('result')
  const whole: Extent = { rows: 0, chars: 0 }
  let part: Extent = { rows: 0, chars: 0 }
  const flush = async () => {
    await memory.fit(part)
    appender.flushSync()
    whole.rows += part.rows
    whole.chars += part.chars
    part = { rows: 0, chars: 0 }
  }
  for await (const row of rows) {
    for (let at = 0; at < columns.length; at++) {
      part.chars += appendValue(appender, columns[at] as ParquetColumn, row[at] ?? null, whole.rows + part.rows)
    }
    appender.endRow()
    part.rows += 1
    if (part.rows === FLUSH_ROWS || part.chars >= FLUSH_CHARS) await flush()
  }
  await flush()
  appender.closeSync()
  return whole
}

/** DuckDB's memory limit, raised where the rows turn out to be long; it never needs more than a few vectors of them. */
function createMemory(connection: DuckDBConnection) {
  let limit = 0
  return {
    async fit({ rows, chars }: Extent): Promise<void> {
      const vector = (chars / Math.max(1, rows)) * VECTOR_ROWS
      const needed = Math.ceil(MEMORY_MB + (VECTORS_IN_MEMORY * vector) / 1e6)
      if (needed <= limit) return
      limit = needed
      await connection.run(`SET memory_limit = '${limit}MB'`)
    },
  }
}

/** Rows of a group, so that it is neither too large for memory nor too small for readers: a multiple of a vector. */
function groupRowsFor({ rows, chars }: Extent): number {
  const vectors = Math.floor(GROUP_CHARS / Math.max(1, chars / Math.max(1, rows)) / VECTOR_ROWS)
  return Math.min(GROUP_ROWS, Math.max(VECTOR_ROWS, vectors * VECTOR_ROWS))
}

/** Returns how many characters of text it handed over. */
function appendValue(appender: DuckDBAppender, { name, type }: ParquetColumn, value: Value, row: number): number {
  if (value === null) appender.appendNull()
  else if (type === 'json' || type === 'string') {
    const text = typeof value === 'string' ? value : stringifyExact(value)
    appender.appendVarchar(text)
    return text.length
  } else if (type === 'boolean' && typeof value === 'boolean') appender.appendBoolean(value)
  else if (type === 'double' && typeof value === 'number') appender.appendDouble(value)
  else if (type === 'int64' && isInt64(value)) appender.appendBigInt(BigInt(value))
  else {
    const shown = stringifyExact(value).slice(0, 80)
    throw new SluiceError('output_unwritable', `row ${row}, column "${name}": ${shown} is no ${type}`, {
      hint: 'Write it as CSV or JSONL, or change the type in the output schema.',
    })
  }
  return 0
}

function isInt64(value: Value): value is number | bigint {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  return typeof value === 'bigint' && BigInt.asIntN(64, value) === value
}
