import type { CsvSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { createCsvReader } from './csv-reader.ts'
import { type CsvLayout, sniffCsv } from './csv-sniff.ts'
import { type GrowingColumns, growingColumns } from './growing-columns.ts'
import type { FoundFile } from './input-file.ts'
import { createJsonArrayReader } from './json-array-reader.ts'
import { createJsonLinesReader } from './json-lines-reader.ts'
import { type ReaderState, type RecordReader, readRecords } from './record-reader.ts'
import { MAX_RECORD_BYTES, type Source, type SourceItem } from './source.ts'
import { openTextFile, type TextFile } from './text-file.ts'
import { textSource } from './text-source.ts'

/** Opens CSV or TSV files. All must have the same columns: else throws `input_invalid` naming the file that differs. */
export async function openCsv(files: readonly FoundFile[], spec: CsvSpec, format: 'csv' | 'tsv'): Promise<Source> {
  const open = async (index: number): Promise<{ text: TextFile; layout: CsvLayout }> => {
    const text = await openTextFile(files[index] as FoundFile, spec.encoding)
    return { text, layout: sniffCsv(text, spec, format) }
  }
  const first = await open(0)
  const { columns } = first.layout
  for (let index = 1; index < files.length; index++) {
    const { layout, text } = await open(index)
    if (JSON.stringify(layout.columns) !== JSON.stringify(columns))
      throw otherColumns(text, layout.columns, first.text, columns)
  }
  return textSource({
    format,
    files,
    columns,
    columnsNow: () => columns,
    resetColumns: () => undefined,
    notes: [...filesNote(files), ...first.text.notes, ...first.layout.notes],
    async openPart(index) {
      const { text, layout } = await open(index)
      const { name } = text.file
      return {
        text,
        start: { offset: layout.start.offset, state: { line: layout.start.line } },
        reader: (state) =>
          createCsvReader(
            { ...layout, file: name, fileIndex: index, encoding: text.encoding, columns: columns.length },
            state,
          ),
      }
    },
  })
}

/** Bytes within which the first object is looked for. */
const FIRST_MOST = 2 * MAX_RECORD_BYTES

type JsonReaderMaker = (columns: GrowingColumns, state: ReaderState) => RecordReader

/** Opens files of JSON objects: one a line, or one array. Columns are the keys met so far; they grow while the files are read. */
export async function openJson(files: readonly FoundFile[], format: 'jsonl' | 'json'): Promise<Source> {
  const start: ReaderState = { line: 1 }
  const open = async (index: number): Promise<{ text: TextFile; make: JsonReaderMaker; lines: boolean }> => {
    const text = await openTextFile(files[index] as FoundFile, null)
    const lines = format === 'jsonl' || holdsJsonLines(text)
    const createReader = lines ? createJsonLinesReader : createJsonArrayReader
    const make: JsonReaderMaker = (columns, state) =>
      createReader({ file: text.file.name, fileIndex: index, columns }, state)
    return { text, make, lines }
  }
  const first = await open(0)
  const columns = await firstColumns(first.text, first.make, start)
  let growing = growingColumns(columns)
  return textSource({
    format: first.lines ? 'jsonl' : 'json',
    files,
    columns,
    columnsNow: () => growing.names(),
    resetColumns: (names) => {
      growing = growingColumns(names)
    },
    notes: [
      ...filesNote(files),
      ...first.text.notes,
      ...(first.lines && format === 'json' ? ['read as JSON lines'] : []),
    ],
    async openPart(index) {
      const { text, make } = await open(index)
      return { text, start: { offset: 0, state: start }, reader: (state) => make(growing, state) }
    },
  })
}

/** The keys of the objects at the beginning of the file; of the very first, where that is longer than what is looked at. Throws as `columnsOfHead`. */
async function firstColumns(text: TextFile, make: JsonReaderMaker, start: ReaderState): Promise<readonly string[]> {
  const columns = columnsOfHead(text, make, start)
  if (columns.length > 0 || text.headIsAll) return columns
  const growing = growingColumns([])
  for await (const { items, offset } of readRecords(text, make(growing, start), 0))
    if (items.length > 0 || offset > FIRST_MOST) break
  return Object.freeze([...growing.names()])
}

/** The keys of the objects at the beginning of the file. Throws `input_invalid` when there are elements and none is an object. */
function columnsOfHead(text: TextFile, make: JsonReaderMaker, start: ReaderState): readonly string[] {
  const growing = growingColumns([])
  const items: SourceItem[] = []
  make(growing, start).take(text.head, text.headIsAll, items)
  const [first] = items
  if (first?.kind === 'unreadable' && !items.some((item) => item.kind === 'row')) {
    throw new SluiceError('input_invalid', `${text.file.name} holds no JSON object: ${first.message}`, {
      place: { file: first.file, line: first.line, column: null },
      hint: 'Each row must be one object: {"column": value, …}.',
    })
  }
  if (items.length === 0 && text.headIsAll && text.head.every((byte) => byte <= 0x20)) {
    throw new SluiceError('input_invalid', `${text.file.name} has no rows: it holds white space only`)
  }
  return Object.freeze([...growing.names()])
}

/** Whether a `.json` file is JSON lines under another name. Throws `input_invalid` when it is one object, which holds no rows. */
function holdsJsonLines({ head, headIsAll, file }: TextFile): boolean {
  const text = head.toString('latin1').trimStart()
  if (!text.startsWith('{')) return false
  const [line = '', next = ''] = text.split('\n', 2)
  if (next.trimStart().startsWith('{') && isJson(line)) return true
  const whole = headIsAll ? parsed(head.toString('utf8')) : undefined
  const arrays =
    typeof whole === 'object' && whole !== null ? Object.entries(whole).filter(([, value]) => Array.isArray(value)) : []
  const name = arrays[0]?.[0]
  throw new SluiceError('input_invalid', `${file.name} is one JSON object, where an array of objects is needed`, {
    place: { file: file.name, line: 1, column: null },
    hint:
      name === undefined
        ? 'Put the rows into an array, or write one object a line and say input.format: jsonl.'
        : `Its "${name}" is an array: write that to a file of its own, as \`jq '.[${JSON.stringify(name)}]' ${file.name}\` does.`,
  })
}

function isJson(text: string): boolean {
  return parsed(text) !== undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function filesNote(files: readonly FoundFile[]): string[] {
  return files.length === 1 ? [] : [`${files.length} files`]
}

function otherColumns(
  text: TextFile,
  columns: readonly string[],
  firstText: TextFile,
  wanted: readonly string[],
): SluiceError {
  const missing = wanted.filter((name) => !columns.includes(name))
  const added = columns.filter((name) => !wanted.includes(name))
  const differences = [
    ...(missing.length > 0 ? [`it lacks ${missing.map((name) => `"${name}"`).join(', ')}`] : []),
    ...(added.length > 0 ? [`it also has ${added.map((name) => `"${name}"`).join(', ')}`] : []),
  ]
  const how = differences.length === 0 ? 'in another order' : differences.join(' and ')
  return new SluiceError('input_invalid', `${text.file.name} has other columns than ${firstText.file.name}: ${how}`, {
    place: { file: text.file.name, line: 1, column: null },
    hint: 'All files of one input must have the same header.',
  })
}
