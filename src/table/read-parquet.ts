import type { Value } from '../domain/row.ts'
import { literal } from './duckdb.ts'
import { openTable, type TableReading } from './read-table.ts'

/** Rows that DuckDB gives at a time, whatever they weigh: all of them are written out in memory at once. */
const VECTOR_ROWS = 2048

/** What the footer of a Parquet file says of it. */
export interface ParquetTable {
  readonly columns: readonly string[]
  readonly rows: number
}

/** A Parquet file that is being read. */
export interface ParquetReading {
  readonly columns: readonly string[]
  /** About how many bytes its rows come to when they are written out. */
  readonly bytes: number
  /** Its rows in their order, in batches that hold about `atOnceBytes` at the most; `null` for one that is longer by itself. */
  rows(): AsyncGenerator<readonly (readonly Value[] | null)[]>
}

export interface ParquetOptions {
  readonly path: string
  /** For people. */
  readonly name: string
  readonly fromRow: number
  /** Bytes that may be held at a time, and that one row may have. */
  readonly atOnceBytes: number
}

/** Looks at the footer of a Parquet file, and at nothing else of it. Throws `input_invalid`. */
export async function describeParquet(path: string, name: string): Promise<ParquetTable> {
  const { columns } = await columnsOf(path, name)
  const [row] = await allRows(`SELECT count(*) FROM ${table(path)}`, name)
  return { columns, rows: Number(row?.[0] ?? 0) }
}

/**
 * Reads a Parquet file, of which a few bytes may stand for gigabytes of text: what its rows weigh is measured before they are written out, and those that weigh much
 * are read a few at a time. Throws `input_invalid`.
 */
export async function readParquet({ path, name, fromRow, atOnceBytes }: ParquetOptions): Promise<ParquetReading> {
  const { columns, types } = await columnsOf(path, name)
  const { rowWeight } = await import('./row-weight.ts')
  const weights = `SELECT (${rowWeight(columns, types)})::DOUBLE AS weight FROM ${table(path)}`
  // Neighbours are added up, since they are written out together.
  const [sums] = await allRows(
    `SELECT coalesce(sum(weight), 0), coalesce(max(weight), 0) FROM (
      SELECT sum(weight) AS weight FROM (SELECT weight, (row_number() OVER () - 1) // ${VECTOR_ROWS} AS part FROM (${weights})) GROUP BY part)`,
    name,
  )
  const [bytes, heaviest] = [Number(sums?.[0] ?? 0), Number(sums?.[1] ?? 0)]
  const isLight = 2 * heaviest <= atOnceBytes
  const select = (from: number, rows?: number) =>
    openTable(`SELECT * FROM ${table(path)} ${rows === undefined ? '' : `LIMIT ${rows} `}OFFSET ${from}`, null, name)
  return Object.freeze({
    columns,
    bytes,
    async *rows() {
      if (isLight) return yield* (await select(fromRow)).rows()
      for await (const { from, rows } of portions(
        await openTable(`${weights} OFFSET ${fromRow}`, null, name),
        atOnceBytes,
      )) {
        if (rows === 0) yield [null]
        else yield* (await select(fromRow + from, rows)).rows()
      }
    },
  })
}

interface Portion {
  /** From the first row that was weighed. */
  readonly from: number
  /** 0: one row, which is too heavy. */
  readonly rows: number
}

/** Rows that can be held together, by their weights. */
async function* portions(weighing: TableReading, most: number): AsyncGenerator<Portion> {
  let [from, rows, weight] = [0, 0, 0]
  for await (const batch of weighing.rows()) {
    for (const [value] of batch) {
      const own = Number(value)
      if (rows > 0 && weight + own > most) {
        yield { from, rows }
        from += rows
        rows = 0
        weight = 0
      }
      if (own > most) {
        yield { from, rows: 0 }
        from += 1
        continue
      }
      rows += 1
      weight += own
    }
  }
  if (rows > 0) yield { from, rows }
}

function table(path: string): string {
  return `read_parquet(${literal(path)}, hive_partitioning = false)`
}

async function columnsOf(path: string, name: string): Promise<Pick<TableReading, 'columns' | 'types'>> {
  const found = await openTable(`SELECT * FROM ${table(path)} LIMIT 0`, null, name)
  found.close()
  return found
}

async function allRows(sql: string, name: string): Promise<readonly (readonly Value[])[]> {
  const rows: (readonly Value[])[] = []
  for await (const batch of (await openTable(sql, null, name)).rows()) rows.push(...batch)
  return rows
}
