import { SluiceError } from '../errors.ts'
import { describeParquet, type ParquetTable, readParquet } from '../table/read-parquet.ts'
import { hashFiles, identifyFiles } from './file-identity.ts'
import type { FoundFile } from './input-file.ts'
import { refuseLarger } from './size-limit.ts'
import { MAX_RECORD_BYTES, type Source, type SourceBatch, type SourceItem, type SourceRow } from './source.ts'

/** What of a file is held at a time, and what one of its rows may come to: a few times of what is taken as a record. */
const AT_ONCE_BYTES = 4 * MAX_RECORD_BYTES

/** How many rows of all files were read. */
interface ParquetPosition {
  readonly rows: number
}

/** Parquet files as one table, file by file in their order. All must have the columns of the first, or `input_invalid` names the one that differs. */
export async function openParquet(files: readonly FoundFile[], signal?: AbortSignal): Promise<Source> {
  const counts: number[] = []
  let columns: readonly string[] | null = null
  for (const file of files) {
    const table = await lookAt(file, signal)
    columns ??= table.columns
    if (JSON.stringify(table.columns) !== JSON.stringify(columns)) throw otherColumns(file, table.columns, columns)
    counts.push(table.rows)
  }
  const rowsTotal = sum(counts)
  const bytesTotal = sum(files.map((file) => file.bytes))

  async function* read(fromPosition: string | null): AsyncGenerator<SourceBatch> {
    let done = 0
    let skip = fromPosition === null ? 0 : (JSON.parse(fromPosition) as ParquetPosition).rows
    for (const [index, file] of files.entries()) {
      const rows = counts[index] as number
      const skipped = Math.min(skip, rows)
      skip -= skipped
      done += skipped
      if (skipped === rows) continue
      const disk = await file.onDisk('all', signal)
      try {
        const { path } = disk
        const table = await readParquet({ path, name: file.name, fromRow: skipped, atOnceBytes: AT_ONCE_BYTES })
        refuseLarger(`${file.name} comes, written out, to`, table.bytes, file.unpackedBytes)
        let at = skipped
        for await (const batch of table.rows()) {
          const first = at
          at += batch.length
          done += batch.length
          yield {
            items: batch.map((values, row) => itemOf(values, file, index, first + row)),
            columns: table.columns,
            position: JSON.stringify({ rows: done } satisfies ParquetPosition),
            bytesRead: Math.floor((bytesTotal * done) / rowsTotal),
            bytes: Math.ceil((table.bytes * batch.length) / rows),
          }
        }
      } finally {
        await disk.release()
      }
    }
  }

  return Object.freeze({
    columns: columns ?? [],
    format: 'parquet',
    files: files.map((file) => file.name),
    bytesTotal,
    rowsTotal,
    notes: files.length === 1 ? [] : [`${files.length} files`],
    identify: () => identifyFiles(files),
    hash: (signal?: AbortSignal) => hashFiles(files, signal),
    read,
    notesAt: () => [],
  })
}

function itemOf(values: SourceRow['values'] | null, file: FoundFile, index: number, row: number): SourceItem {
  if (values !== null) return { kind: 'row', values, line: null, file: index }
  const message = `${file.name}, row ${row + 1}, cannot be read: it is longer than ${AT_ONCE_BYTES / 1024 / 1024} MiB`
  return { kind: 'unreadable', line: row + 1, file: file.name, message, excerpt: '' }
}

async function lookAt(file: FoundFile, signal: AbortSignal | undefined): Promise<ParquetTable> {
  const disk = await file.onDisk('end', signal)
  try {
    return await describeParquet(disk.path, file.name)
  } finally {
    await disk.release()
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0)
}

function otherColumns(file: FoundFile, columns: readonly string[], expected: readonly string[]): SluiceError {
  return new SluiceError('input_invalid', `${file.name} has other columns than the first file`, {
    place: { file: file.name, line: null, column: null },
    hint: `Expected ${expected.join(', ')}; got ${columns.join(', ')}.`,
  })
}
