import { isUtf8 } from 'node:buffer'
import { SluiceError } from '../errors.ts'
import { type CsvDialect, type CsvFault, type CsvRecord, emptyRecord, scanLine, scanRecord } from './csv-scan.ts'
import { parseQuotedRecords, splitPlainRecord } from './csv-values.ts'
import { cutOffTail, firstInvalidUtf8 } from './encoding.ts'
import { excerptOf } from './excerpt.ts'
import type { ReaderState, RecordReader } from './record-reader.ts'
import { MAX_RECORD_BYTES, type SourceItem, type SourceUnreadable } from './source.ts'

/** What a CSV reader is told about its file. */
export interface CsvReading {
  readonly file: string
  readonly fileIndex: number
  readonly encoding: string
  readonly dialect: CsvDialect
  readonly delimiter: string
  readonly columns: number
}

/** Beside what every reader knows: the over-long line whose end is still to come. */
interface CsvState extends ReaderState {
  readonly empty: number
  readonly skipping: string | null
}

const FAULTS: Readonly<Record<CsvFault, string>> = {
  stray_quote:
    'a quote (") stands inside of a field that does not begin with one: quote the field and double the quote in it',
  text_after_quote:
    'text follows a closing quote ("): a quote inside of a field must be doubled, or a field above is not closed where it should be',
  unclosed_quote: 'a quote (") opens a field that is never closed',
  zero_byte: 'it holds a zero byte',
  too_long: `it is longer than ${MAX_RECORD_BYTES / 1024 / 1024} MiB, or opens a quote (") that is not closed within that`,
}

/** No problem at all: an empty line is no record. */
const EMPTY = 'it is empty'

/**
 * Reads CSV records strictly. A record that is ragged, broken or no valid text becomes an unreadable item with its line; wholly empty lines
 * are skipped and counted. Whatever the file holds, every other line of it is part of exactly one item.
 */
export function createCsvReader(reading: CsvReading, from: ReaderState): RecordReader {
  const { dialect, columns } = reading
  const record = emptyRecord()
  let { line } = from
  let { empty, skipping } = { empty: 0, skipping: null, ...from } as CsvState

  /** Ends the over-long line that an earlier block began; how many bytes of `bytes` belong to it. */
  function skip(bytes: Buffer, final: boolean, items: SourceItem[]): number {
    // A last byte that may be the CR of a CRLF stays, for the next block to tell.
    if (!scanLine(bytes, 0, final, dialect.newline, record)) return Math.max(0, bytes.length - 1)
    items.push(unreadable(reading, line, FAULTS.too_long, skipping ?? ''))
    skipping = null
    line += 1
    return record.next
  }

  function take(bytes: Buffer, final: boolean, items: SourceItem[]): number {
    let at = 0
    if (skipping !== null) {
      at = skip(bytes, final, items)
      if (skipping !== null) return at
    }
    const rows = createRowBatch(reading, bytes, items)
    while (at < bytes.length && scanRecord(bytes, at, final, dialect, record)) {
      const problem = problemOf(record, at, columns)
      if (problem === null) rows.add(at, record, line)
      else if (problem === EMPTY) empty += 1
      else
        items.push(unreadable(reading, line, spanned(problem, line, record), excerptOf(bytes.subarray(at, record.end))))
      line += record.lines
      at = record.next
    }
    rows.finish()
    if (bytes.length - at <= MAX_RECORD_BYTES) return at
    skipping = excerptOf(bytes.subarray(at))
    return bytes.length - 1
  }

  return Object.freeze({ take, state: (): CsvState => ({ line, empty, skipping }) })
}

/** Why the record that begins at `start` is no row; `null` when it is one. */
function problemOf(record: CsvRecord, start: number, columns: number): string | null {
  if (record.next - start > MAX_RECORD_BYTES) return FAULTS.too_long
  if (record.fault !== null) return FAULTS[record.fault]
  if (record.end === start) return EMPTY
  if (record.fields === columns) return null
  const fields = record.fields === 1 ? '1 field' : `${record.fields} fields`
  return `it has ${fields}, where ${columns} ${columns === 1 ? 'is' : 'are'} expected`
}

function spanned(problem: string, line: number, { lines }: CsvRecord): string {
  return lines > 1 ? `lines ${line} to ${line + lines - 1}: ${problem}` : problem
}

function unreadable(reading: CsvReading, line: number, problem: string, excerpt: string): SourceUnreadable {
  const message = `${reading.file}:${line} cannot be read: ${problem}`
  return { kind: 'unreadable', line, file: reading.file, message, excerpt }
}

/** The rows of one block: each takes its place among the items at once; the quoted ones get their values together, at the end. */
interface RowBatch {
  add(start: number, record: CsvRecord, line: number): void
  finish(): void
}

function createRowBatch(reading: CsvReading, bytes: Buffer, items: SourceItem[]): RowBatch {
  const quoted: string[] = []
  const places: number[] = []
  const lines: number[] = []
  // Asked once for the whole block; only where it is not, record by record.
  const valid = isUtf8(bytes.subarray(0, bytes.length - cutOffTail(bytes)))

  function add(start: number, { end, quoted: isQuoted }: CsvRecord, line: number): void {
    if (!valid) {
      const record = bytes.subarray(start, end)
      const at = firstInvalidUtf8(record, false)
      if (at >= 0) {
        const problem = `byte ${at + 1} of the record is no character in ${reading.encoding}`
        items.push(unreadable(reading, line, problem, excerptOf(record)))
        return
      }
    }
    const text = bytes.toString('utf8', start, end)
    if (isQuoted) {
      quoted.push(text)
      places.push(items.length)
      lines.push(line)
    }
    const values = isQuoted ? [] : checked(reading, line, splitPlainRecord(text, reading.delimiter))
    items.push({ kind: 'row', values, line, file: reading.fileIndex })
  }

  function finish(): void {
    if (quoted.length === 0) return
    const rows = parseQuotedRecords(quoted, reading.delimiter, reading.dialect.newline === 0x0d ? '\r' : '\n')
    if (rows.length !== quoted.length)
      throw disagreement(reading, lines[0] ?? 0, `${quoted.length} records`, rows.length)
    for (let at = 0; at < rows.length; at++) {
      const line = lines[at] as number
      const values = checked(reading, line, rows[at] as string[])
      items[places[at] as number] = { kind: 'row', values, line, file: reading.fileIndex }
    }
  }
  return { add, finish }
}

/** The scanner and the parser have read the same bytes on their own: should they ever differ, no row may go on. */
function checked(reading: CsvReading, line: number, values: readonly string[]): readonly string[] {
  if (values.length !== reading.columns) throw disagreement(reading, line, `${reading.columns} fields`, values.length)
  return values
}

function disagreement(reading: CsvReading, line: number, found: string, parsed: number): SluiceError {
  return new SluiceError('internal', `${reading.file}:${line}: ${found} were found and ${parsed} parsed`)
}
