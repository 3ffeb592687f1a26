import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'

/** Whether cells that a spreadsheet would run are defused. */
export interface CsvOptions {
  readonly safe: boolean
}

const QUOTED = /[",\r\n]/

/** In the safe form also what some spreadsheets take for the end of a cell. */
const QUOTED_SAFE = /[",\r\n;\t]/

/**
 * How a cell begins that a spreadsheet may run, wide forms included (OWASP, "CSV Injection"): https://owasp.org/www-community/attacks/CSV_Injection
 */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/

const PLAIN_NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/

/**
 * One CSV record (RFC 4180) with its line end, a single LF. A cell is quoted only where it holds a comma, a quote or a line break; inside, every
 * byte of the value stays. Null and empty text are both an empty cell; nested values are JSON.
 */
export function csvRecord(values: readonly Value[], options: CsvOptions): string {
  let record = ''
  for (let at = 0; at < values.length; at += 1) {
    record += at === 0 ? cell(values[at] as Value, options) : `,${cell(values[at] as Value, options)}`
  }
  return `${record}\n`
}

function cell(value: Value, { safe }: CsvOptions): string {
  if (value === null) return ''
  if (typeof value === 'object') return quoted(stringifyExact(value), QUOTED)
  if (typeof value !== 'string') return String(value)
  // A plain number is none that runs, whatever sign it has.
  const defused = safe && FORMULA.test(value) && !PLAIN_NUMBER.test(value) ? `'${value}` : value
  return quoted(defused, safe ? QUOTED_SAFE : QUOTED)
}

function quoted(text: string, where: RegExp): string {
  return where.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
