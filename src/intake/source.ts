import type { UnreadableLine, Value } from '../domain/row.ts'

/** What a source yields, in file order: rows and the lines that are none. */
export interface SourceBatch {
  readonly items: readonly SourceItem[]
  /** Column names as known after this batch: those of the source, and any that were met since, at the end. */
  readonly columns: readonly string[]
  /** Where reading goes on after this batch: opaque JSON, given back to `read` to continue. */
  readonly position: string
  /** Bytes of input consumed so far, for progress. */
  readonly bytesRead: number
  /** Bytes that were looked at for this batch, unpacked; for what is no text, about. */
  readonly bytes: number
}

export type SourceItem = SourceRow | SourceUnreadable

/** Values in the order of the columns; a row may be shorter than them, and what it lacks is `null`. */
export interface SourceRow {
  readonly kind: 'row'
  readonly values: readonly Value[]
  /** Line in the file, from 1; `null` where the format has none. */
  readonly line: number | null
  /** Index into the source's files. */
  readonly file: number
}

export type SourceUnreadable = { readonly kind: 'unreadable' } & Omit<UnreadableLine, 'index'>

/** An input that can be read once from the start, or from any position that it gave. */
export interface Source {
  /** Column names in order, as far as the beginning of the input shows them. */
  readonly columns: readonly string[]
  readonly format: string
  /** Names for people; none for a query. */
  readonly files: readonly string[]
  readonly bytesTotal: number | null
  /** Rows in all, where the format says so up front. */
  readonly rowsTotal: number | null
  /** For people: delimiter, encoding, header, as found. */
  readonly notes: readonly string[]
  /** A text that is another when the input is: computed anew at each call. */
  identify(): Promise<string>
  /** sha-256 (hex) of all of the input's bytes; `null` where the input is no file. */
  hash(signal?: AbortSignal): Promise<string | null>
  /** Whole records only; batches are small (about a quarter of a megabyte of input, or one record). Leaving the loop closes the input. */
  read(fromPosition: string | null): AsyncIterable<SourceBatch>
  /** What only reading showed, up to a position: `3 empty lines skipped`. */
  notesAt(position: string | null): readonly string[]
}

/** Bytes that one record may have, and one row of the snapshot. */
export const MAX_RECORD_BYTES = 16 * 1024 * 1024
