import type { Spec } from '../domain/spec.ts'
import { hintAmong } from '../spec/nearest.ts'
import type { Path, Report } from '../spec/positions.ts'
import type { InputPreview } from './check-tools.ts'

/** Columns of every result (contract §4): an input column of that name would stand there twice. */
const RESULT_COLUMNS = [
  '_row_id',
  '_row_index',
  '_chunk_id',
  '_status',
  '_error',
  '_error_message',
  '_attempts',
  '_model',
  '_lane',
  '_input_tokens',
  '_output_tokens',
  '_cost_usd',
  '_latency_ms',
] as const

/** More output fields than this, and answers fit less often. */
const MANY_FIELDS = 10

/** How the spec fits its input: the key column is there, no name stands for two columns, the results do not overwrite the input. */
export function checkInput(spec: Spec, preview: InputPreview | null, report: Report): void {
  const fields = spec.output.columns.length
  if (fields > MANY_FIELDS) {
    report.warning(['output'], `output has ${fields} fields`, 'Simpler schemas are answered right more often.')
  }
  if (preview === null) return
  report.add('ok', null, describePreview(spec, preview))
  const { key, csv } = spec.input
  if (key !== null && !preview.columns.includes(key)) {
    report.error(['input', 'key'], `the input has no column "${key}"`, hintAmong(key, preview.columns, 'columns'))
  }
  const isCsv = preview.format.startsWith('csv') || preview.format.startsWith('tsv')
  if (!isCsv && (csv.delimiter !== null || csv.header !== null || csv.encoding !== null)) {
    report.warning(['input', 'csv'], `input.csv has no effect: the input is ${preview.format}`)
  }
  checkNames(spec, preview.columns, report)
}

/** `input: data/tickets.csv, 1.2 MB, 3 columns, key "id"`, and how it was read. */
function describePreview(spec: Spec, preview: InputPreview): string {
  const [first, ...others] = preview.files
  const parts = [
    // Of several files the notes say how many.
    first === undefined ? 'a query' : others.length === 0 ? first : null,
    preview.format,
    preview.rowsTotal === null ? null : `${preview.rowsTotal} ${preview.rowsTotal === 1 ? 'row' : 'rows'}`,
    preview.bytesTotal === null ? null : formatBytes(preview.bytesTotal),
    `${preview.columns.length} columns`,
    ...(spec.input.key !== null && preview.columns.includes(spec.input.key) ? [`key column "${spec.input.key}"`] : []),
    ...preview.notes,
  ]
  return `input: ${parts.filter((part) => part !== null).join(', ')}`
}

function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`
  const units = ['kB', 'MB', 'GB', 'TB']
  const step = Math.min(Math.floor(Math.log10(bytes) / 3), units.length)
  return `${(bytes / 1000 ** step).toFixed(1)} ${units[step - 1]}`
}

function checkNames(spec: Spec, columns: readonly string[], report: Report): void {
  const lower = new Map(columns.map((column) => [column.toLowerCase(), column]))
  for (const field of spec.output.columns) {
    const path = placeOfField(spec, field, report)
    const twin = lower.get(field.toLowerCase())
    if (columns.includes(field)) {
      report.add(
        'error',
        report.positions.key(path),
        `the output field "${field}" is named like an input column`,
        renameHint(spec, field),
      )
    } else if (twin !== undefined) {
      report.add(
        'warning',
        report.positions.key(path),
        `the output field "${field}" differs from the input column "${twin}" in case only`,
        'Parquet readers and SQL take the two for one.',
      )
    }
  }
  for (const column of RESULT_COLUMNS.filter((name) => columns.includes(name))) {
    report.error(
      ['input'],
      `the input column "${column}" is named like a column of the results`,
      `Leave it out, for example with input.sql: select * exclude (${column}) from '…'.`,
    )
  }
  for (const name of ['row', 'vars', 'output'].filter((each) => columns.includes(each))) {
    report.warning(['input'], `in templates the name ${name} is taken: the column "${name}" stands at row["${name}"]`)
  }
}

/** A field of `output.fields`, of an inline schema, or, for plain text and a schema in a file, the block itself. */
function placeOfField(spec: Spec, field: string, report: Report): Path {
  if (spec.output.schema === null) return ['output']
  const inFields = ['output', 'fields', field]
  const inSchema = ['output', 'schema', 'properties', field]
  const place = report.positions.key(inFields)
  const around = report.positions.key(['output', 'fields'])
  return place.line === around.line && place.column === around.column ? inSchema : inFields
}

function renameHint(spec: Spec, field: string): string {
  if (spec.output.schema === null) return 'Give the answer a name of its own: output: { fields: { reply: string } }.'
  return `Rename the field, for example to "${field}_label".`
}
