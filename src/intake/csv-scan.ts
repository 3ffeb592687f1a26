import { afterLineEnd, CR, LF, type LineSlot, scanLine } from './line-scan.ts'
import { MAX_RECORD_BYTES } from './source.ts'

/**
 * Finds where CSV records begin and end, in bytes, by RFC 4180 taken strictly: a quote opens a field only as its first byte, is doubled
 * inside, and after the closing one comes a delimiter or the end of the line. It reads no values: that is papaparse's work. What it adds
 * is what no parser gives: byte ranges and line numbers of every record, and a way on after a broken one.
 */

const QUOTE = 0x22

export interface CsvDialect {
  /** The byte between fields. */
  readonly delimiter: number
  /** The byte that ends a line: LF (alone or after CR), or CR in files that know no LF. */
  readonly newline: typeof LF | typeof CR
}

/** What is wrong with a record as a whole, whatever its columns should be. */
export type CsvFault = 'stray_quote' | 'text_after_quote' | 'unclosed_quote' | 'zero_byte' | 'too_long'

/** One record, as the scanner found it. A mutable slot: a million records need no million objects. */
export interface CsvRecord extends LineSlot {
  /** Lines that it takes up. */
  lines: number
  fields: number
  /** At least one field is quoted. */
  quoted: boolean
  fault: CsvFault | null
}

export function emptyRecord(): CsvRecord {
  return { end: 0, next: 0, lines: 0, fields: 0, quoted: false, fault: null }
}

/**
 * Scans the record that begins at `start` into `record`. `false`: `bytes` end inside of it (never when `final`), and `record` means nothing.
 *
 * A record whose quotes are broken, or that is longer than `MAX_RECORD_BYTES`, ends with its first line, whatever it seems to span: one bad
 * quote never swallows the lines after it. The result depends on the record's bytes alone, not on how many more there are.
 */
export function scanRecord(
  bytes: Buffer,
  start: number,
  final: boolean,
  dialect: CsvDialect,
  record: CsvRecord,
): boolean {
  const { delimiter, newline } = dialect
  const limit = Math.min(bytes.length, start + MAX_RECORD_BYTES)
  record.fields = 1
  record.lines = 1
  record.quoted = false
  record.fault = null
  let at = start
  for (;;) {
    at = afterField(bytes, at, limit, dialect, record)
    if (at < 0 || at >= limit) {
      if (bytes.length > limit) return endBroken(bytes, start, final, newline, 'too_long', record)
      if (!final) return false
      if (at < 0) return endBroken(bytes, start, final, newline, 'unclosed_quote', record)
    }
    const byte = bytes[at]
    if (byte === delimiter) {
      at += 1
      record.fields += 1
    } else if (byte === QUOTE) {
      return endBroken(bytes, start, final, newline, 'stray_quote', record)
    } else {
      return endRecord(bytes, start, at, final, newline, record)
    }
  }
}

/** Behind the field that begins at `from`; -1 where it is quoted and not closed before `limit`. */
function afterField(bytes: Buffer, from: number, limit: number, dialect: CsvDialect, record: CsvRecord): number {
  if (bytes[from] !== QUOTE) return afterPlain(bytes, from, limit, dialect, record)
  record.quoted = true
  return afterQuoted(bytes, from, limit, dialect.newline, record)
}

/** Behind the closing quote of the field that opens at `open`; -1 where it is not closed before `limit`. */
function afterQuoted(bytes: Buffer, open: number, limit: number, newline: number, record: CsvRecord): number {
  for (let at = open + 1; at < limit; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      if (bytes[at + 1] !== QUOTE) return at + 1
      at += 1
    } else if (byte === newline) record.lines += 1
    else if (byte === 0) record.fault = 'zero_byte'
  }
  return -1
}

/** Where the unquoted field that begins at `from` ends: at a delimiter, a line end, a quote that has no business there, or `limit`. */
function afterPlain(bytes: Buffer, from: number, limit: number, dialect: CsvDialect, record: CsvRecord): number {
  const { delimiter, newline } = dialect
  let at = from
  for (; at < limit; at++) {
    const byte = bytes[at]
    if (byte === delimiter || byte === newline || byte === QUOTE) break
    if (byte === 0) record.fault = 'zero_byte'
  }
  return at
}

/** Ends the record at `at`, behind its last field, if a line end or the end of the bytes stands there. */
function endRecord(
  bytes: Buffer,
  start: number,
  at: number,
  final: boolean,
  newline: number,
  record: CsvRecord,
): boolean {
  const byte = bytes[at]
  // Behind a CR that ends the bytes an LF may follow.
  if (byte === CR && at + 1 >= bytes.length && !final) return false
  if (at >= bytes.length || byte === newline) {
    // An unquoted last field was read up to the LF: its CR belongs to the line end.
    record.end = newline === LF && at > start && bytes[at - 1] === CR ? at - 1 : at
  } else if (byte === CR && (at + 1 >= bytes.length || bytes[at + 1] === LF)) {
    record.end = at
  } else {
    return endBroken(bytes, start, final, newline, 'text_after_quote', record)
  }
  record.next = afterLineEnd(bytes, at)
  return true
}

function endBroken(
  bytes: Buffer,
  start: number,
  final: boolean,
  newline: number,
  fault: CsvFault,
  record: CsvRecord,
): boolean {
  record.fault = fault
  record.lines = 1
  return scanLine(bytes, start, final, newline, record)
}
