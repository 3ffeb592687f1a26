import { hashText } from './bytes.ts'
import type { Session } from './postgres-session.ts'

/** A column of a statement's parameters, and its type in the database. */
export type BatchColumn = readonly [name: string, type: string]

/** One column of the rows as the array that the statement takes, in PostgreSQL's own writing: the driver's would take twice as long. */
function arrayOf(rows: readonly (readonly unknown[])[], column: number): string {
  let text = '{'
  for (const row of rows) text += `${text.length === 1 ? '' : ','}${elementOf(row[column])}`
  return `${text}}`
}

/** Quotes whatever is not a number, a NULL or hex. */
function elementOf(value: unknown): string {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return `"${value.replaceAll(/[\\"]/g, '\\$&')}"`
  if (value instanceof Uint8Array) return `"\\\\x${hashText(value)}"`
  throw new TypeError(`no value for the database: ${typeof value}`)
}

/** `unnest($1::int8[], …) as given (job_no, …)`: any number of rows for one statement, whose text never changes. */
export function given(columns: readonly BatchColumn[]): string {
  const arrays = columns.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')
  return `unnest(${arrays}) as given (${columns.map(([name]) => name).join(', ')})`
}

/** A statement over rows of these columns, prepared once for each connection. */
export interface Batch {
  run<R extends Record<string, unknown>>(session: Session, rows: readonly (readonly unknown[])[]): Promise<readonly R[]>
}

/** `text` takes the rows as `given(columns)`. Nothing is run for no rows. */
export function batch(name: string, columns: readonly BatchColumn[], text: string): Batch {
  return Object.freeze({
    async run<R extends Record<string, unknown>>(session: Session, rows: readonly (readonly unknown[])[]) {
      if (rows.length === 0) return []
      const arrays = columns.map((_, column) => arrayOf(rows, column))
      const result = await session.query<R>(text, arrays, name)
      return result.rows
    },
  })
}
