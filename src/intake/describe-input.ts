import type { Env } from '../blob/s3-access.ts'
import type { Value } from '../domain/row.ts'
import type { InputSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import type { FoundFile } from './input-file.ts'
import { openSource } from './open-source.ts'
import { keyColumnOf } from './row-key.ts'
import { MAX_RECORD_BYTES, type Source, type SourceItem, type SourceUnreadable } from './source.ts'

/** Items that are looked at. */
const SAMPLE_ITEMS = 200
/** Bytes that are looked at: some of the longest records that there can be. */
const SAMPLE_BYTES = 4 * MAX_RECORD_BYTES
/** Rows that are given back. */
const SAMPLE_ROWS = 20

/** What the beginning of an input shows. */
export interface InputPreview {
  readonly columns: readonly string[]
  readonly format: string
  readonly files: readonly string[]
  readonly bytesTotal: number | null
  /** Exact where the format says it, or where all of the input was looked at; else `null`. */
  readonly rowsTotal: number | null
  /** By the size of the rows that were looked at; `null` where nothing tells. */
  readonly rowsEstimated: number | null
  /** The first rows, in column order. */
  readonly rows: readonly (readonly Value[])[]
  /** Lines among those looked at that cannot be read. */
  readonly unreadable: readonly SourceUnreadable[]
  readonly notes: readonly string[]
}

/** Looks at the beginning of an input without reading on. Throws as `runIntake` does for what can be seen there, a missing key column included. */
export async function describeInput(options: {
  readonly input: InputSpec
  readonly baseDir: string
  /** Where object storage and the keys for it are looked up. */
  readonly env: Env
  /** What is looked at in place of what `source` names. */
  readonly files?: readonly FoundFile[] | undefined
}): Promise<InputPreview> {
  const source = await openSource({ ...options, spool: null })
  const items: SourceItem[] = []
  let [columns, bytesRead, bytes, whole] = [source.columns, 0, 0, true]
  for await (const batch of source.read(null)) {
    items.push(...batch.items)
    ;({ columns, bytesRead } = batch)
    bytes += batch.bytes
    if (items.length >= SAMPLE_ITEMS || bytes >= SAMPLE_BYTES) {
      whole = false
      break
    }
  }
  if (items.length === 0 && !whole) throw endless(source)
  keyColumnOf(options.input.key, { columns })
  const rows = items.flatMap((item) => (item.kind === 'row' ? [item.values] : []))
  const estimated =
    source.bytesTotal === null || bytesRead === 0 ? null : Math.round((items.length * source.bytesTotal) / bytesRead)
  const rowsTotal = source.rowsTotal ?? (whole ? items.length : null)
  return Object.freeze({
    columns,
    format: source.format,
    files: source.files,
    bytesTotal: source.bytesTotal,
    rowsTotal,
    rowsEstimated: rowsTotal ?? estimated,
    rows: rows.slice(0, SAMPLE_ROWS),
    unreadable: items.filter((item) => item.kind === 'unreadable'),
    notes: source.notes,
  })
}

function endless({ files, format }: Source): SluiceError {
  const [file = format] = files
  return new SluiceError('input_invalid', `${file} has no row within its first ${SAMPLE_BYTES / 1024 / 1024} MiB`, {
    place: { file, line: null, column: null },
    hint: `A row may have ${MAX_RECORD_BYTES / 1024 / 1024} MiB. Look whether its lines end, and whether its format is the one that its name says.`,
  })
}
