import { hashFiles, identifyFiles } from './file-identity.ts'
import type { FoundFile } from './input-file.ts'
import { type ReaderState, type RecordReader, readRecords } from './record-reader.ts'
import type { Source, SourceBatch } from './source.ts'
import type { TextFile } from './text-file.ts'

/** One file of a text source, opened: where its rows begin and how they are read. */
export interface TextPart {
  readonly text: TextFile
  readonly start: { readonly offset: number; readonly state: ReaderState }
  /** A reader that goes on from `state`. */
  reader(state: ReaderState): RecordReader
}

export interface TextSourceOptions {
  readonly format: string
  readonly files: readonly FoundFile[]
  readonly columns: readonly string[]
  /** The columns as they have grown since; for formats whose columns are fixed, the same as `columns`. */
  readonly columnsNow: () => readonly string[]
  /** Takes the columns back to how a position knew them. */
  readonly resetColumns: (columns: readonly string[]) => void
  readonly notes: readonly string[]
  readonly openPart: (index: number) => Promise<TextPart>
}

/** `offset` in the text of file number `file`; `empty`: lines skipped in the files before. */
interface TextPosition {
  readonly file: number
  readonly offset: number
  readonly state: ReaderState
  readonly empty: number
  readonly bytes: number
  /** Columns that were met after the opening. */
  readonly grown: readonly string[]
}

/** The files of one input, read one after the other. */
export function textSource(options: TextSourceOptions): Source {
  const { files, columns } = options

  async function* read(fromPosition: string | null): AsyncGenerator<SourceBatch> {
    const from = fromPosition === null ? null : (JSON.parse(fromPosition) as TextPosition)
    options.resetColumns([...columns, ...(from?.grown ?? [])])
    let [empty, bytesBefore] = [from?.empty ?? 0, from?.bytes ?? 0]
    for (let index = from?.file ?? 0; index < files.length; index++) {
      const part = await options.openPart(index)
      const { offset, state } = from !== null && from.file === index ? from : part.start
      let last = state
      let at = offset
      for await (const block of readRecords(part.text, part.reader(state), offset)) {
        last = block.state
        const names = options.columnsNow()
        const position: TextPosition = {
          file: index,
          offset: block.offset,
          state: block.state,
          empty,
          bytes: bytesBefore,
          grown: names.slice(columns.length),
        }
        yield {
          items: block.items,
          columns: names,
          position: JSON.stringify(position),
          bytesRead: bytesBefore + block.bytesRead,
          bytes: block.offset - at,
        }
        at = block.offset
      }
      empty += emptyLines(last)
      bytesBefore += files[index]?.bytes ?? 0
    }
  }

  return Object.freeze({
    columns,
    format: options.format,
    files: files.map((file) => file.name),
    bytesTotal: files.reduce((sum, file) => sum + file.bytes, 0),
    rowsTotal: null,
    notes: options.notes,
    identify: () => identifyFiles(files),
    hash: (signal?: AbortSignal) => hashFiles(files, signal),
    read,
    notesAt(position: string | null) {
      if (position === null) return []
      const { empty, state } = JSON.parse(position) as TextPosition
      const skipped = empty + emptyLines(state)
      return skipped === 0 ? [] : [`${skipped} empty ${skipped === 1 ? 'line' : 'lines'} skipped`]
    },
  })
}

function emptyLines(state: ReaderState): number {
  return state.empty ?? 0
}
