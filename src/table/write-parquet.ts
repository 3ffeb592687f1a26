import { rm } from 'node:fs/promises'
import type { DuckDBAppender } from '@duckdb/node-api'
import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { identifier, literal, withDuckDb } from './duckdb.ts'

/** A column of a Parquet file. `json`: JSON text. */
export interface ParquetColumn {
  readonly name: string
  readonly type: 'string' | 'int64' | 'double' | 'boolean' | 'json'
}

const SQL_TYPE: Readonly<Record<ParquetColumn['type'], string>> = Object.freeze({
  string: 'VARCHAR',
  int64: 'BIGINT',
  double: 'DOUBLE',
  boolean: 'BOOLEAN',
  json: 'VARCHAR',
})

/** Rows between two flushes: bounds what lies in memory. */
const FLUSH_ROWS = 2048

/**
 * Writes a Parquet file (zstd) at `path`, rows in the order given. Memory stays flat: rows go through a database file beside it, which is gone
 * afterwards. Rejects with a `TypeError` naming the column when a value does not fit its type.
 */
export async function writeParquet(file: {
  readonly path: string
  readonly columns: readonly ParquetColumn[]
  readonly rows: AsyncIterable<readonly Value[]>
}): Promise<void> {
  const { path, columns, rows } = file
  const passage = `${path}.duckdb`
  try {
    await withDuckDb(passage, async (connection) => {
      const definitions = columns.map(({ name, type }) => `${identifier(name)} ${SQL_TYPE[type]}`)
      await connection.run(`create table passage (${definitions.join(', ')})`)
      const appender = await connection.createAppender('passage')
      try {
        let count = 0
        for await (const row of rows) {
          columns.forEach((column, at) => {
            append(appender, column, row[at] ?? null)
          })
          appender.endRow()
          count += 1
          if (count % FLUSH_ROWS === 0) appender.flushSync()
        }
      } finally {
        appender.closeSync()
      }
      await connection.run(`copy passage to ${literal(path)} (format parquet, compression zstd)`)
    })
  } finally {
    await Promise.all([rm(passage, { force: true }), rm(`${passage}.wal`, { force: true })])
  }
}

function append(appender: DuckDBAppender, { name, type }: ParquetColumn, value: Value): void {
  if (value === null) appender.appendNull()
  else if (type === 'json') appender.appendVarchar(typeof value === 'string' ? value : stringifyExact(value))
  else if (type === 'string' && typeof value === 'string') appender.appendVarchar(value)
  else if (type === 'boolean' && typeof value === 'boolean') appender.appendBoolean(value)
  else if (type === 'double' && typeof value === 'number') appender.appendDouble(value)
  else if (type === 'int64' && (typeof value === 'bigint' || Number.isSafeInteger(value)))
    appender.appendBigInt(BigInt(value as number))
  else throw new TypeError(`the column ${JSON.stringify(name)} is ${type}, and has a value that is none`)
}
