import { isUtf8 } from 'node:buffer'
import { parseExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { excerptOf } from './excerpt.ts'
import type { GrowingColumns } from './growing-columns.ts'
import { MAX_RECORD_BYTES, type SourceItem } from './source.ts'

/** What a JSON reader is told about its file. */
export interface JsonReading {
  readonly file: string
  readonly fileIndex: number
  readonly columns: GrowingColumns
}

export const JSON_TOO_LONG = `it is longer than ${MAX_RECORD_BYTES / 1024 / 1024} MiB`

/** The row that `bytes` hold as one JSON object; an unreadable item when they do not. `valid`: the bytes are known to be UTF-8. */
export function jsonItem(reading: JsonReading, bytes: Buffer, line: number, valid: boolean): SourceItem {
  const values = valuesOf(reading, bytes, valid)
  if (typeof values === 'string') return unreadableJson(reading, line, values, excerptOf(bytes))
  return { kind: 'row', values, line, file: reading.fileIndex }
}

/** An item for what is no row. */
export function unreadableJson(reading: JsonReading, line: number, problem: string, excerpt: string): SourceItem {
  const message = `${reading.file}:${line} cannot be read: ${problem}`
  return { kind: 'unreadable', line, file: reading.file, message, excerpt }
}

/** The values, or what is wrong. */
function valuesOf(reading: JsonReading, bytes: Buffer, valid: boolean): readonly Value[] | string {
  if (bytes.length > MAX_RECORD_BYTES) return JSON_TOO_LONG
  if (!valid && !isUtf8(bytes)) return 'it holds bytes that are no valid UTF-8'
  let value: Value
  try {
    value = parseExact(bytes.toString('utf8'))
  } catch (error) {
    if (error instanceof SyntaxError) return syntaxProblem(error)
    // Nested deeper than the parser's stack.
    if (error instanceof RangeError) return 'it is nested too deeply'
    throw error
  }
  if (Array.isArray(value)) return 'it is an array, where an object is expected'
  if (value === null || typeof value !== 'object')
    return `it is ${value === null ? 'null' : `a ${typeof value}`}, where an object is expected`
  return reading.columns.place(value as { readonly [key: string]: Value })
}

/** Without the parser's own words, which quote the row. */
function syntaxProblem(error: SyntaxError): string {
  const at = /at position (\d+)/.exec(error.message)?.[1]
  if (at !== undefined) return `it is not valid JSON: see character ${Number(at) + 1}`
  return /end of JSON|Unterminated/.test(error.message)
    ? 'it is not valid JSON: it ends too early'
    : 'it is not valid JSON'
}
