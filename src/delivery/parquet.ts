import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import type { ColumnType } from './output-type.ts'
import type { ResultColumn } from './result-columns.ts'
import type { ResultRow } from './result-table.ts'

/** A column of a Parquet file. `json`: the value as JSON text, so that nested and mixed values come back as they were. */
export interface ParquetColumn {
  readonly name: string
  readonly type: ColumnType
}

/** Writes a Parquet file at `path`; values are given as the column's type wants them, JSON as text. The table room provides it. */
export type WriteParquet = (file: {
  readonly path: string
  readonly columns: readonly ParquetColumn[]
  readonly rows: AsyncIterable<readonly Value[]>
}) => Promise<unknown>

/** What the values of one column have been so far; `int` is exact as a double too, `long` is not. */
type Seen = 'nothing' | 'boolean' | 'int' | 'long' | 'double' | 'string' | 'json'

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/**
 * Gives every column a type that holds all of its values without loss: its known one, else the narrowest of boolean, 64-bit integer, double and
 * string that all its values have, else JSON. Reads all rows where a type is not known; none are read where all are.
 */
export async function parquetColumns(
  columns: readonly ResultColumn[],
  rows: () => AsyncIterable<readonly ResultRow[]>,
): Promise<readonly ParquetColumn[]> {
  const open = columns.flatMap(({ type }, at) => (type === null ? [at] : []))
  const seen = new Map<number, Seen>(open.map((at) => [at, 'nothing']))
  if (open.length > 0) {
    for await (const batch of rows()) {
      for (const { values } of batch) {
        for (const at of open) seen.set(at, joined(seen.get(at) as Seen, values[at] as Value))
      }
    }
  }
  return columns.map(({ name, type }, at) => ({ name, type: type ?? typeOf(seen.get(at) as Seen) }))
}

/** A row's values as its Parquet columns hold them. Throws `output_unwritable` where a value came after the types were settled and has another. */
export function parquetValues(row: ResultRow, columns: readonly ParquetColumn[]): readonly Value[] {
  return row.values.map((value, at) => {
    const column = columns[at] as ParquetColumn
    const fitting = value === null ? null : fitted(value, column.type)
    if (fitting !== undefined) return fitting
    throw new SluiceError(
      'output_unwritable',
      `row ${row.index} ended while the file was written, and its ${column.name} is not of the type that the column has in Parquet (${column.type})`,
      { hint: 'Write the file again.' },
    )
  })
}

/** `undefined`: the type cannot hold the value. */
function fitted(value: Exclude<Value, null>, type: ColumnType): Value | undefined {
  if (type === 'json') return stringifyExact(value)
  if (type === 'int64') return typeof value === 'bigint' || Number.isSafeInteger(value) ? value : undefined
  if (type === 'double') return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined
  return typeof value === type ? value : undefined
}

function joined(seen: Seen, value: Value): Seen {
  if (value === null || seen === 'json') return seen
  const kind = kindOf(value)
  if (seen === 'nothing' || seen === kind) return kind
  if (kind === 'int' && (seen === 'long' || seen === 'double')) return seen
  return seen === 'int' && (kind === 'long' || kind === 'double') ? kind : 'json'
}

function kindOf(value: Exclude<Value, null>): Seen {
  if (typeof value === 'bigint') return value >= INT64_MIN && value <= INT64_MAX ? 'long' : 'json'
  if (typeof value === 'number') return Number.isSafeInteger(value) ? 'int' : 'double'
  return typeof value === 'object' ? 'json' : (typeof value as 'boolean' | 'string')
}

function typeOf(seen: Seen): ColumnType {
  if (seen === 'int' || seen === 'long') return 'int64'
  return seen === 'nothing' ? 'string' : seen
}
