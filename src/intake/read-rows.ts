import { parseExact } from '../domain/exact-json.ts'
import type { Row, Value } from '../domain/row.ts'
import { createRowMaker } from './manifest-row.ts'
import { keyColumnOf } from './row-key.ts'
import type { Source } from './source.ts'

/** Some of an input's rows, in order. */
export interface RowPortion {
  readonly rows: readonly Row[]
  readonly unreadable: number
  /** As known after these rows: some formats show columns late. */
  readonly columns: readonly string[]
  readonly bytesRead: number
}

/**
 * Reads the first `limit` rows of an input as a job's snapshot would hold them, and keeps nothing: for looking ahead. `columns`: those that each row
 * gets a value for. Throws as `runIntake` does, except that it does not look for keys that occur twice.
 */
export async function* readRows(
  source: Source,
  options: {
    readonly key: string | null
    readonly limit: number | null
    readonly columns: readonly string[]
    readonly signal: AbortSignal
  },
): AsyncGenerator<RowPortion> {
  const { limit, columns, signal } = options
  const keyColumn = keyColumnOf(options.key, source)
  const makeRow = createRowMaker(source, keyColumn)
  const most = limit ?? Number.POSITIVE_INFINITY
  let index = 0
  for await (const batch of source.read(null)) {
    signal.throwIfAborted()
    const rows: Row[] = []
    let unreadable = 0
    for (const item of batch.items) {
      if (index >= most) break
      const made = makeRow(item, { batch: null, skip: 0, ordinal: index + 1 })
      if (made.unreadable !== null || item.kind === 'unreadable') unreadable += 1
      else rows.push({ index, id: made.key ?? String(index), values: valuesOf(made.text, columns.length) })
      index += 1
    }
    yield { rows, unreadable, columns: batch.columns, bytesRead: batch.bytesRead }
    if (index >= most) return
  }
}

/** The snapshot's text, read back: so every number comes out as a job would see it. */
function valuesOf(text: string, columns: number): readonly Value[] {
  const values = parseExact(text) as Value[]
  while (values.length < columns) values.push(null)
  return values
}
