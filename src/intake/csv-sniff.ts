import type { CsvSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { type CsvDialect, emptyRecord, scanRecord } from './csv-scan.ts'
import { splitRecord } from './csv-values.ts'
import type { TextFile } from './text-file.ts'

/** How a CSV file is written, and where its rows begin. */
export interface CsvLayout {
  readonly dialect: CsvDialect
  readonly delimiter: string
  readonly columns: readonly string[]
  /** Offset and line of the first row. */
  readonly start: { readonly offset: number; readonly line: number }
  /** For people. */
  readonly notes: readonly string[]
}

/** Tried in this order; of equally good ones the first wins. */
const DELIMITERS = [',', ';', '\t', '|'] as const

/** Records that are looked at. */
const SAMPLE_RECORDS = 200

interface Sample {
  readonly records: readonly (readonly string[])[]
  /** Fields of the first record, and the share of records that have as many. */
  readonly fields: number
  readonly share: number
  /** Where the first record begins, and what comes behind it. */
  readonly first: { readonly line: number; readonly next: number; readonly nextLine: number } | null
}

/**
 * Finds delimiter, header and columns by the first records of the file, where `spec` does not say them. A header is assumed unless the first
 * record holds a number, date, address or nothing where a name should be. Throws `input_invalid` for duplicate or empty column names.
 */
export function sniffCsv(text: TextFile, spec: CsvSpec, format: 'csv' | 'tsv'): CsvLayout {
  const newline = newlineOf(text.head)
  const said = spec.delimiter ?? (format === 'tsv' ? '\t' : null)
  const delimiter = said ?? bestDelimiter(text, newline)
  const dialect: CsvDialect = { delimiter: delimiter.charCodeAt(0), newline }
  const { records, first } = sample(text, delimiter, newline)
  const [names, ...rows] = records
  if (first === null || names === undefined) throw unreadableStart(text)

  const header = spec.header ?? looksLikeHeader(names, rows)
  const columns = header ? checkedNames(text, names, first.line) : names.map((_, at) => `column_${at + 1}`)
  return Object.freeze({
    dialect,
    delimiter,
    columns: Object.freeze([...columns]),
    start: header ? { offset: first.next, line: first.nextLine } : { offset: 0, line: 1 },
    notes: Object.freeze([
      `delimiter ${delimiter === '\t' ? 'tab' : JSON.stringify(delimiter)}`,
      header ? 'header in the first line' : `no header: columns are named column_1 … column_${columns.length}`,
      ...(newline === 0x0d ? ['lines end with CR'] : []),
    ]),
  })
}

/** CR only where the beginning of the file has line ends and no LF at all. */
function newlineOf(head: Buffer): CsvDialect['newline'] {
  return head.includes(0x0d) && !head.includes(0x0a) ? 0x0d : 0x0a
}

/** The delimiter by which the most records have as many fields as the first; of those, the one that gives the most fields. */
function bestDelimiter(text: TextFile, newline: CsvDialect['newline']): string {
  let best: string = DELIMITERS[0]
  let bestScore = 0
  for (const delimiter of DELIMITERS) {
    const { fields, share } = sample(text, delimiter, newline)
    // One field says nothing. The share counts first, by tenths; then the number of fields.
    const score = fields < 2 ? 0 : Math.round(share * 10) + Math.min(fields, 1000) / 1001
    if (score > bestScore) {
      best = delimiter
      bestScore = score
    }
  }
  return best
}

function sample(text: TextFile, delimiter: string, newline: CsvDialect['newline']): Sample {
  const { head, headIsAll } = text
  const dialect: CsvDialect = { delimiter: delimiter.charCodeAt(0), newline }
  const record = emptyRecord()
  const records: string[][] = []
  let first: Sample['first'] = null
  let [same, seen, line, at] = [0, 0, 1, 0]
  let fields = 0
  while (at < head.length && seen < SAMPLE_RECORDS && scanRecord(head, at, headIsAll, dialect, record)) {
    const blank = record.end === at && record.fault === null
    if (!blank) {
      seen += 1
      if (first === null) {
        if (record.fault !== null) break
        first = { line, next: record.next, nextLine: line + record.lines }
        fields = record.fields
      }
      if (record.fault === null) {
        records.push(splitRecord(head.toString('utf8', at, record.end), delimiter, record.quoted))
        if (record.fields === fields) same += 1
      }
    }
    line += record.lines
    at = record.next
  }
  return { records, fields, share: seen === 0 ? 0 : same / seen, first }
}

/** Whether the first record names columns: it does unless one of its cells is plainly data, and the cells below are of the same kind. */
function looksLikeHeader(names: readonly string[], rows: readonly (readonly string[])[]): boolean {
  if (rows.length === 0) return names.every((name) => !isData(name))
  return !names.some((name, column) => {
    if (!isData(name)) return false
    const below = rows.map((row) => row[column] ?? '').filter((cell) => cell !== '')
    return below.length > 0 && below.filter(isData).length / below.length > 0.5 && !isYear(name)
  })
}

const NUMBER = /^[-+]?(\d+([.,]\d+)*|\.\d+)([eE][-+]?\d+)?%?$/
const DATE = /^\d{4}-\d{2}-\d{2}([T ].*)?$|^\d{1,2}[./]\d{1,2}[./]\d{2,4}$/
const ADDRESS = /^[a-z][a-z0-9+.-]*:\/\/\S+$|^[^\s@]+@[^\s@]+\.[^\s@]+$/i

function isData(cell: string): boolean {
  const text = cell.trim()
  return NUMBER.test(text) || DATE.test(text) || ADDRESS.test(text)
}

/** Tables with a column per year are headed by numbers. */
function isYear(name: string): boolean {
  return /^(19|20)\d{2}$/.test(name.trim())
}

function checkedNames(text: TextFile, names: readonly string[], line: number): readonly string[] {
  const place = { file: text.file.name, line, column: null }
  const empty = names.flatMap((name, at) => (name.trim() === '' ? [at + 1] : []))
  if (empty.length > 0) {
    throw new SluiceError('input_invalid', `${text.file.name}:${line} has no name for column ${empty.join(', ')}`, {
      place,
      hint: 'Name it in the header (pandas writes such a column unless index=False), or say input.csv.header: false if the line is data.',
    })
  }
  const positions = Map.groupBy(
    names.map((name, at) => ({ name, at: at + 1 })),
    ({ name }) => name,
  )
  const twice = [...positions].filter(([, at]) => at.length > 1)
  if (twice.length > 0) {
    const list = twice.map(([name, at]) => `"${name}" (columns ${at.map((one) => one.at).join(', ')})`).join('; ')
    throw new SluiceError('input_invalid', `${text.file.name}:${line} has two columns of one name: ${list}`, {
      place,
      hint: 'Rename one of them, or say input.csv.header: false if the line is data.',
    })
  }
  return names
}

function unreadableStart(text: TextFile): SluiceError {
  if (text.head.every((byte) => byte === 0x0a || byte === 0x0d)) {
    return new SluiceError('input_invalid', `${text.file.name} has no rows: it holds empty lines only`, {
      place: { file: text.file.name, line: 1, column: null },
    })
  }
  return new SluiceError('input_invalid', `${text.file.name}: the first record cannot be read as CSV`, {
    place: { file: text.file.name, line: 1, column: null },
    hint: 'Look for a quote (") in it that is not closed or not doubled, for zero bytes, or for a first line of more than 256 KiB.',
  })
}
