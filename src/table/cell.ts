import type { DuckDBValue } from '@duckdb/node-api'
import { exactNumber } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'

/**
 * Turns the values of one DuckDB result into ours, without loss: integers beyond 2^53 become `bigint`, decimals that a double would change
 * become text, dates and times ISO text, lists, structs and maps JSON values; NaN and infinities become the text DuckDB has for them.
 */
export type CellReader = (value: DuckDBValue) => Value

/** Prepares the reader; DuckDB is loaded by then. */
export async function cellReader(): Promise<CellReader> {
  const duckdb = await import('@duckdb/node-api')
  const read: CellReader = (value) => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
    if (typeof value === 'bigint') return exactNumber(value.toString())
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
    if (value instanceof duckdb.DuckDBDecimalValue) return exactNumber(value.toString())
    if (value instanceof duckdb.DuckDBTimestampTZValue) return isoTime(`${value}`).replace(/\+00$/, 'Z')
    if (value instanceof duckdb.DuckDBTimestampValue) return isoTime(`${value}`)
    return nested(value) ?? `${value}`
  }
  const nested = (value: DuckDBValue): Value => {
    if (value instanceof duckdb.DuckDBListValue || value instanceof duckdb.DuckDBArrayValue)
      return value.items.map(read)
    if (value instanceof duckdb.DuckDBStructValue) {
      return Object.fromEntries(Object.entries(value.entries).map(([key, part]) => [key, read(part)]))
    }
    if (value instanceof duckdb.DuckDBMapValue) {
      return Object.fromEntries(value.entries.map(({ key, value: part }) => [String(key), read(part)]))
    }
    return null
  }
  return read
}

function isoTime(text: string): string {
  return text.replace(' ', 'T')
}
