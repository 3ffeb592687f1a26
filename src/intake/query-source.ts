import type { Blob } from '../blob/blob.ts'
import { parseExact, stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { sha256 } from '../runtime.ts'
import { readQuery, type TableReading } from '../table/read-table.ts'
import type { Source, SourceBatch } from './source.ts'

/** Rows of the kept result that are given as one batch. */
const BATCH_ROWS = 1000
/** Bytes that are gathered before they are written. */
const PIECE_BYTES = 1024 * 1024

export interface QueryOptions {
  readonly sql: string
  readonly baseDir: string
  /** Where the result is kept; `null`: it is only looked at, and cannot be continued. */
  readonly spool: { readonly blob: Blob; readonly key: string } | null
  readonly signal?: AbortSignal | undefined
}

/** Offset in the kept result. */
interface QueryPosition {
  readonly offset: number
}

/**
 * The result of a DuckDB query over files. No query has to give its rows in the same order twice, so it is run once, into the blob store, whole
 * or not at all; reading then goes on there after a crash, at exactly the row where it was.
 */
export async function openQuery(options: QueryOptions): Promise<Source> {
  const { spool } = options
  if (spool === null) {
    const table = await readQuery(options.sql, options.baseDir)
    return querySource(options, table.columns, null, () => readTable(table))
  }
  if ((await spool.blob.size(spool.key)) === null) await runInto(spool, options)
  const bytes = (await spool.blob.size(spool.key)) ?? 0
  const columns = await firstLine(spool)
  return querySource(options, columns, bytes, (from) => readSpool(spool, columns, from))
}

function querySource(
  { sql, baseDir }: QueryOptions,
  columns: readonly string[],
  bytesTotal: number | null,
  read: Source['read'],
): Source {
  return Object.freeze({
    columns,
    format: 'sql',
    files: [],
    bytesTotal,
    rowsTotal: null,
    notes: ['DuckDB query'],
    identify: async () => sha256(JSON.stringify([baseDir, sql])),
    hash: async () => null,
    read,
    notesAt: () => [],
  })
}

/** Runs the query and keeps its result as NDJSON: the columns, then an array a row. */
async function runInto({ blob, key }: NonNullable<QueryOptions['spool']>, options: QueryOptions): Promise<void> {
  const table = await readQuery(options.sql, options.baseDir)
  const writer = await blob.writer(key)
  try {
    let piece = `${JSON.stringify(table.columns)}\n`
    for await (const rows of table.rows()) {
      options.signal?.throwIfAborted()
      piece += rows.map((values) => `${stringifyExact(values)}\n`).join('')
      if (piece.length >= PIECE_BYTES) {
        await writer.write(Buffer.from(piece))
        piece = ''
      }
    }
    await writer.write(Buffer.from(piece))
  } catch (error) {
    await writer.abort()
    throw error
  }
  await writer.close()
}

async function firstLine({ blob, key }: NonNullable<QueryOptions['spool']>): Promise<readonly string[]> {
  for await (const { text } of lines(blob, key)) return JSON.parse(text) as string[]
  return []
}

async function* readSpool(
  { blob, key }: NonNullable<QueryOptions['spool']>,
  columns: readonly string[],
  from: string | null,
): AsyncGenerator<SourceBatch> {
  const start = from === null ? 0 : (JSON.parse(from) as QueryPosition).offset
  let rows: (readonly Value[])[] = []
  let [begin, end] = [start, start]
  const batch = (): SourceBatch => ({
    items: rows.map((values) => ({ kind: 'row', values, line: null, file: 0 })),
    columns,
    position: JSON.stringify({ offset: end } satisfies QueryPosition),
    bytesRead: end,
    bytes: end - begin,
  })
  for await (const line of lines(blob, key)) {
    // The first line names the columns.
    if (line.end <= start || line.number === 0) continue
    rows.push(parseExact(line.text) as Value[])
    end = line.end
    if (rows.length === BATCH_ROWS) {
      yield batch()
      rows = []
      begin = end
    }
  }
  yield batch()
}

/** The lines of an object, with where each ends. */
async function* lines(blob: Blob, key: string): AsyncGenerator<{ text: string; end: number; number: number }> {
  let rest: Buffer = Buffer.alloc(0)
  let [end, number] = [0, 0]
  for await (const chunk of blob.stream(key)) {
    const bytes = Buffer.concat([rest, chunk])
    let at = 0
    for (let found = bytes.indexOf(0x0a); found >= 0; found = bytes.indexOf(0x0a, at)) {
      end += found + 1 - at
      yield { text: bytes.toString('utf8', at, found), end, number }
      number += 1
      at = found + 1
    }
    rest = bytes.subarray(at)
  }
}

async function* readTable(table: TableReading): AsyncGenerator<SourceBatch> {
  let rows = 0
  for await (const batch of table.rows()) {
    rows += batch.length
    yield {
      items: batch.map((values) => ({ kind: 'row', values, line: null, file: 0 })),
      columns: table.columns,
      position: JSON.stringify({ rows }),
      bytesRead: 0,
      bytes: 0,
    }
  }
}
