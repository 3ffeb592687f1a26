import { isUtf8 } from 'node:buffer'
import { SluiceError } from '../errors.ts'
import { type CsvDialect, type CsvFault, type CsvRecord, emptyRecord, scanRecord } from './csv-scan.ts'
import { splitRecord } from './csv-values.ts'
import { cutOffTail, firstInvalidUtf8 } from './encoding.ts'
import { excerptOf } from './excerpt.ts'
import { scanLine } from './line-scan.ts'
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

/**
 * Reads CSV records strictly. A record that is ragged, broken or no valid text becomes an unreadable item with its line; wholly empty lines
 * are skipped and counted. Whatever the file holds, every other line of it is part of exactly one item.
 */
export function createCsvReader(reading: CsvReading, from: ReaderState): RecordReader {
  const { dialect } = reading
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
    // Asked once for the whole block; only where it is not, record by record.
    const valid = isUtf8(bytes.subarray(0, bytes.length - cutOffTail(bytes)))
    while (at < bytes.length && scanRecord(bytes, at, final, dialect, record)) {
      const item = record.end === at && record.fault === null ? null : itemOf(reading, bytes, at, record, line, valid)
      if (item === null) empty += 1
      else items.push(item)
      line += record.lines
      at = record.next
    }
    if (bytes.length - at <= MAX_RECORD_BYTES) return at
    skipping = excerptOf(bytes.subarray(at))
    return bytes.length - 1
  }

  return Object.freeze({ take, state: (): CsvState => ({ line, empty, skipping }) })
}

/** The record that begins at `start` as a row, or as what could not be read. `valid`: its bytes are known to be UTF-8. */
function itemOf(
  reading: CsvReading,
  bytes: Buffer,
  start: number,
  record: CsvRecord,
  line: number,
  valid: boolean,
): SourceItem {
  const problem = problemOf(reading, bytes, start, record, valid)
  if (problem !== null)
    return unreadable(reading, line, spanned(problem, line, record), excerptOf(bytes.subarray(start, record.end)))
  const values = splitRecord(bytes.toString('utf8', start, record.end), reading.delimiter, record.quoted)
  // Two looks at the same bytes: should they ever differ, no row may go on.
  if (values.length !== reading.columns) {
    throw new SluiceError(
      'internal',
      `${reading.file}:${line}: ${reading.columns} fields were found and ${values.length} read`,
    )
  }
  return { kind: 'row', values, line, file: reading.fileIndex }
}

/** Why the record is no row; `null` when it is one. */
function problemOf(
  reading: CsvReading,
  bytes: Buffer,
  start: number,
  record: CsvRecord,
  valid: boolean,
): string | null {
  const { columns, encoding } = reading
  if (record.next - start > MAX_RECORD_BYTES) return FAULTS.too_long
  if (record.fault !== null) return FAULTS[record.fault]
  if (record.fields !== columns) {
    const fields = record.fields === 1 ? '1 field' : `${record.fields} fields`
    return `it has ${fields}, where ${columns} ${columns === 1 ? 'is' : 'are'} expected`
  }
  const invalid = valid ? -1 : firstInvalidUtf8(bytes.subarray(start, record.end), false)
  return invalid < 0 ? null : `byte ${invalid + 1} of the record is no character in ${encoding}`
}

function spanned(problem: string, line: number, { lines }: CsvRecord): string {
  return lines > 1 ? `lines ${line} to ${line + lines - 1}: ${problem}` : problem
}

function unreadable(reading: CsvReading, line: number, problem: string, excerpt: string): SourceUnreadable {
  const message = `${reading.file}:${line} cannot be read: ${problem}`
  return { kind: 'unreadable', line, file: reading.file, message, excerpt }
}
