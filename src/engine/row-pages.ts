import { jsonLines } from '../delivery/jsonl.ts'
import { resultColumns } from '../delivery/result-columns.ts'
import { rowsOfChunk } from '../delivery/result-table.ts'
import type { Chunk } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import { createAtOnce } from './at-once.ts'
import { doneNoOf } from './job-feed.ts'
import { createKeptSpecs } from './job-parts.ts'
import { createKept } from './kept.ts'
import { resultsOf } from './results.ts'
import type { TransferDeps } from './transfer-desk.ts'

/** Bytes of one page, but for a row that is longer: what a slow reader holds. */
const PAGE_BYTES = 32 * 1024
/** What a row's outcome takes in a line, about; its input comes on top. */
const OUTCOME_BYTES = 400
/** Bytes of pages that are kept for whoever asks next, in one process. */
const KEPT_BYTES = 16 * 1024 * 1024
/** Pages that are made at a time. */
const AT_ONCE = 4
/** Bytes that a page takes beside its lines. */
const PAGE_ITSELF = 300

/** Which rows of a chunk, and whether each line says where to go on after it. */
interface RowChoice {
  readonly only: 'ok' | 'failed' | null
  readonly cursors: boolean
}

/** Result rows as whole lines of NDJSON, and up to which row all that were asked for are in it. */
interface RowPage {
  readonly bytes: Buffer
  readonly lastRow: number
}

/** Result rows page by page; a page is made once for all who read it at about the same time. */
export interface RowPages {
  /**
   * The next rows of the chunk behind the row of index `after`; `null`: there are none left, or the chunk was opened again and is not the one any more
   * that was listed: its rows come when it is done once more.
   */
  next(job: Job, chunk: Chunk, choice: RowChoice, after: number): Promise<RowPage | null>
}

/** Creates the pages of one process. */
export function createRowPages(deps: TransferDeps): RowPages {
  const pages = createKept<RowPage | null>(KEPT_BYTES, (page) => PAGE_ITSELF + (page?.bytes.length ?? 0))
  const specFor = createKeptSpecs(deps)
  const making = createAtOnce(AT_ONCE)

  return Object.freeze({
    async next(job: Job, chunk: Chunk, choice: RowChoice, after: number) {
      const end = chunk.firstRow + chunk.rows
      if (choice.only !== null && chunk.counters[choice.only === 'ok' ? 'succeeded' : 'failed'] === 0) return null
      for (let from = Math.max(after + 1, chunk.firstRow); from < end; ) {
        const key = `${job.jobNo} ${doneNoOf(chunk)} ${choice.only} ${choice.cursors} ${from}`
        const first = from
        const make = async () => makePage(deps, job, await specFor(job), chunk, choice, first)
        const page = await pages.get(key, () => making(make))
        if (page === null || page.bytes.length > 0) return page
        from = page.lastRow + 1
      }
      return null
    },
  })
}

async function makePage(
  deps: TransferDeps,
  job: Job,
  spec: Spec,
  chunk: Chunk,
  { only, cursors }: RowChoice,
  firstRow: number,
): Promise<RowPage | null> {
  const now = await deps.store.chunks.get(chunk)
  if (now?.doneNo !== chunk.doneNo) return null
  const part = { firstRow, rows: Math.min(rowsOfPage(chunk), chunk.firstRow + chunk.rows - firstRow) }
  const rows = await rowsOfChunk(await resultsOf(deps, job, spec), chunk, { only, includeInput: true }, part)
  const names = resultColumns(spec, job.input, true).map(({ name }) => name)
  const line = jsonLines(cursors ? [...names, '_cursor'] : names)
  const lines: Buffer[] = []
  let bytes = 0
  for (const { index, values } of rows) {
    const text = Buffer.from(line(cursors ? [...values, rowCursor(doneNoOf(chunk), index)] : values))
    if (bytes > 0 && bytes + text.length > PAGE_BYTES) return { bytes: Buffer.concat(lines, bytes), lastRow: index - 1 }
    lines.push(text)
    bytes += text.length
  }
  return { bytes: Buffer.concat(lines, bytes), lastRow: firstRow + part.rows - 1 }
}

/** About as many rows as fill a page. */
function rowsOfPage({ byteLength, rows }: Chunk): number {
  return Math.max(1, Math.floor(PAGE_BYTES / (byteLength / rows + OUTCOME_BYTES)))
}

/** Where to go on after a row: its chunk, by the order in which chunks were done, and its index. */
function rowCursor(doneNo: number, row: number): string {
  return `${doneNo}.${row}`
}
