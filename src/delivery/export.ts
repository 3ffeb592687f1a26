import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { csvRecord } from './csv.ts'
import { jsonLines } from './jsonl.ts'
import { type ParquetColumn, parquetColumns, parquetValues, type WriteParquet } from './parquet.ts'
import { type ResultColumn, resultColumns } from './result-columns.ts'
import { type ResultRow, type ResultSource, resultRows } from './result-table.ts'
import { writeOtherFile, writeTextFile } from './results-file.ts'
import { type ResultsObject, writeOtherObject, writeTextObject } from './results-object.ts'

/** What an export reads from, and how Parquet is written. */
export interface ExportSource extends ResultSource {
  readonly writeParquet: WriteParquet
}

export interface ExportRequest {
  readonly to:
    | { readonly kind: 'file'; readonly path: string }
    | ({ readonly kind: 'object' } & ResultsObject)
    | { readonly kind: 'stream'; readonly write: (text: string) => Promise<void> }
  readonly format: ResultsFormat
  readonly only?: 'ok' | 'failed'
  /** Defuses cells that a spreadsheet would run; CSV only. */
  readonly safeCsv?: boolean
  /** Default: true. */
  readonly includeInput?: boolean
  readonly signal?: AbortSignal
}

export type ResultsFormat = 'csv' | 'jsonl' | 'parquet'

/** Rows that were written, and how they stood. */
export interface ExportedRows {
  readonly rows: number
  readonly ok: number
  readonly failed: number
  readonly pending: number
}

/** Characters of text that are written at once. */
const TEXT_BLOCK = 1 << 16

/** The format that a file's name asks for, `.gz` or not; `null`: none that is known. */
export function formatOfPath(path: string): ResultsFormat | null {
  const ending = /\.(csv|jsonl|ndjson|parquet)(\.gz)?$/i.exec(path)
  if (ending === null || (ending[2] !== undefined && ending[1]?.toLowerCase() === 'parquet')) return null
  const name = ending[1]?.toLowerCase()
  return name === 'ndjson' ? 'jsonl' : (name as ResultsFormat)
}

/**
 * Writes the result table in input order, while the job runs too: rows that have no outcome yet are `pending`. All formats hold the same rows,
 * columns and values. A file or object appears only when it is whole. Throws `job_state` while the input is not read in full, `output_unwritable` where
 * the file cannot be written, `usage` for Parquet to a stream.
 */
export async function exportResults(source: ExportSource, request: ExportRequest): Promise<ExportedRows> {
  const { job, spec } = source
  if (job.input === null) {
    throw new SluiceError(
      'job_state',
      `the input of ${job.id} has not been read in full, so that it has no results yet`,
    )
  }
  const includeInput = request.includeInput ?? true
  const columns = resultColumns(spec, job.input, includeInput)
  const rows = () => resultRows(source, { only: request.only ?? null, includeInput })
  const tally = createTally()
  if (request.format === 'parquet') await exportParquet(source, request, columns, rows, tally)
  else await exportText(request, columns, tally.count(rows(), request.signal))
  return tally.total()
}

/** The result table as the text that `exportResults` writes, in blocks. The input must have been read in full. */
export async function* resultTexts(source: ExportSource, request: Omit<ExportRequest, 'to'>): AsyncGenerator<string> {
  const includeInput = request.includeInput ?? true
  const columns = resultColumns(source.spec, source.job.input, includeInput)
  yield* blocks(request, columns, resultRows(source, { only: request.only ?? null, includeInput }))
}

async function exportText(
  request: ExportRequest,
  columns: readonly ResultColumn[],
  rows: AsyncIterable<readonly ResultRow[]>,
): Promise<void> {
  const { to } = request
  const texts = blocks(request, columns, rows)
  if (to.kind === 'file') return writeTextFile(to.path, texts, request.signal)
  if (to.kind === 'object') return writeTextObject(to, texts, request.signal)
  for await (const text of texts) await to.write(text)
}

/** The whole text, in blocks of about `TEXT_BLOCK`. */
async function* blocks(
  request: Pick<ExportRequest, 'format' | 'safeCsv'>,
  columns: readonly ResultColumn[],
  rows: AsyncIterable<readonly ResultRow[]>,
): AsyncGenerator<string> {
  const names = columns.map(({ name }) => name)
  const csv = { safe: request.safeCsv ?? false }
  const line = request.format === 'csv' ? (values: readonly Value[]) => csvRecord(values, csv) : jsonLines(names)
  let block = request.format === 'csv' ? csvRecord(names, csv) : ''
  for await (const batch of rows) {
    for (const row of batch) {
      block += line(row.values)
      if (block.length < TEXT_BLOCK) continue
      yield block
      block = ''
    }
  }
  if (block !== '') yield block
}

async function exportParquet(
  source: ExportSource,
  request: ExportRequest,
  columns: readonly ResultColumn[],
  rows: () => AsyncIterable<readonly ResultRow[]>,
  tally: Tally,
): Promise<void> {
  const { to, signal } = request
  if (to.kind === 'stream') {
    throw new SluiceError('usage', 'Parquet is written to a file, not to a stream', { hint: 'Name the file with -o.' })
  }
  const typed = await parquetColumns(columns, () => createTally().count(rows(), signal))
  const values = parquetRows(tally.count(rows(), signal), typed)
  const write = (path: string, items: AsyncIterable<readonly Value[]>) =>
    source.writeParquet({ path, columns: typed, rows: items })
  await (to.kind === 'file' ? writeOtherFile(to.path, values, write) : writeOtherObject(to, values, write))
}

async function* parquetRows(
  batches: AsyncIterable<readonly ResultRow[]>,
  columns: readonly ParquetColumn[],
): AsyncGenerator<readonly Value[]> {
  for await (const batch of batches) {
    for (const row of batch) yield parquetValues(row, columns)
  }
}

interface Tally {
  /** Passes the rows on and counts them; throws the signal's reason once it is aborted. */
  count(rows: AsyncIterable<readonly ResultRow[]>, signal: AbortSignal | undefined): AsyncIterable<readonly ResultRow[]>
  total(): ExportedRows
}

function createTally(): Tally {
  const total = { rows: 0, ok: 0, failed: 0, pending: 0 }
  return Object.freeze({
    async *count(rows: AsyncIterable<readonly ResultRow[]>, signal: AbortSignal | undefined) {
      for await (const batch of rows) {
        signal?.throwIfAborted()
        for (const { status } of batch) {
          total.rows += 1
          if (status === 'ok' || status === 'failed' || status === 'pending') total[status] += 1
        }
        yield batch
      }
    },
    total: () => ({ ...total }),
  })
}
