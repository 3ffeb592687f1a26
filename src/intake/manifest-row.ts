import { stringifyExact } from '../domain/exact-json.ts'
import type { Value } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import { keyOf } from './row-key.ts'
import type { ManifestRow, RowCursor } from './segment-draft.ts'
import { MAX_RECORD_BYTES, type Source, type SourceItem, type SourceRow } from './source.ts'

/** What stands in the snapshot for a line that could not be read. */
const PLACEHOLDER = 'null'

/**
 * Makes rows of the snapshot out of what a source gives. A row that would be too long there becomes unreadable. Throws `input_invalid`, naming
 * the place, when a row has nothing in the key column.
 */
export function createRowMaker(
  source: Source,
  keyColumn: number | null,
): (item: SourceItem, cursor: RowCursor) => ManifestRow {
  return (item, cursor) => {
    if (item.kind === 'unreadable') {
      const { kind: _, ...unreadable } = item
      return { text: PLACEHOLDER, bytes: PLACEHOLDER.length, unreadable, key: null, line: item.line, file: 0, cursor }
    }
    const { values, line, file } = item
    const text = textOf(values)
    const bytes = Buffer.byteLength(text)
    if (bytes > MAX_RECORD_BYTES) return tooLong(item, source, cursor)
    const key = keyColumn === null ? null : keyOf(values[keyColumn])
    if (key === null && keyColumn !== null) throw missingKey(item, source, keyColumn, cursor)
    return { text, bytes, unreadable: null, key, line, file, cursor }
  }
}

/** Rows of text alone, which are most, need no look at their numbers. */
function textOf(values: readonly Value[]): string {
  return values.every((value) => typeof value === 'string') ? JSON.stringify(values) : stringifyExact(values)
}

function tooLong(row: SourceRow, source: Source, cursor: RowCursor): ManifestRow {
  const file = source.files[row.file] ?? source.format
  const line = row.line ?? cursor.ordinal
  const message = `${file}:${line} cannot be taken: as JSON the row is longer than ${MAX_RECORD_BYTES / 1024 / 1024} MiB`
  const unreadable = { line, file, message, excerpt: '' }
  return { text: PLACEHOLDER, bytes: PLACEHOLDER.length, unreadable, key: null, line, file: row.file, cursor }
}

function missingKey(row: SourceRow, source: Source, keyColumn: number, cursor: RowCursor): SluiceError {
  const name = source.columns[keyColumn]
  const value = row.values[keyColumn]
  const what = value !== null && typeof value === 'object' ? 'holds a list or an object' : 'is empty'
  const place = placeOf(source, row.file, row.line, cursor.ordinal - 1)
  return new SluiceError('input_invalid', `${place}: the key column "${name}" ${what}`, {
    place: row.line === null ? null : { file: source.files[row.file] ?? '', line: row.line, column: null },
    hint: 'Every row needs a key: fill it in, name another column as input.key, or leave input.key out.',
  })
}

/** `file:line` for people; the row's number where the format has no lines. */
export function placeOf(source: Source, file: number, line: number | null, rowIndex: number): string {
  const name = source.files[file] ?? 'the query'
  return line === null || line === 0 ? `${name}, row ${rowIndex + 1}` : `${name}:${line}`
}
