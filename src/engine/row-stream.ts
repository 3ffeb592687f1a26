import type { Chunk } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { AtOnce } from './at-once.ts'
import { doneNoOf, type JobFeeds } from './job-feed.ts'
import { assertRowsKept } from './kept-rows.ts'
import type { RowPages } from './row-pages.ts'
import type { RowsRequest, TransferDeps } from './transfer-desk.ts'
import { standsStill } from './watch.ts'

/** Chunks that are listed at a time. */
const PAGE = 50

/** Which row was the last: of the chunk that was done as number `doneNo` the row of index `row`; `null`: all of it. */
interface RowPlace {
  readonly doneNo: number
  readonly row: number | null
}

/** What jobs are followed with. */
export interface FollowDeps {
  readonly deps: TransferDeps
  readonly feeds: JobFeeds
  /** Reads of the store take their turns here. */
  readonly reading: AtOnce
}

/** What rows are streamed with. */
export interface RowStreamDeps extends FollowDeps {
  readonly pages: RowPages
}

/** Result rows as whole lines of NDJSON (see TransferDesk.rows). Checked at once; nothing is read before somebody asks for it. */
export function rowStream(stream: RowStreamDeps, job: Job, request: RowsRequest): AsyncIterable<Buffer> {
  assertRowsKept(job)
  const place = request.after === null ? { doneNo: 0, row: null } : placeOf(request.after)
  return rowsAfter(stream, job, place, request)
}

async function* rowsAfter(
  { pages, ...following }: RowStreamDeps,
  found: Job,
  place: RowPlace,
  { only, cursors, follow, signal }: RowsRequest,
): AsyncGenerator<Buffer> {
  // A chunk that was given in part is listed again.
  let doneNo = place.row === null ? place.doneNo : place.doneNo - 1
  const chunksFrom = listing({ ...following, follow, signal }, found)
  for (;;) {
    const { job, chunks, last } = await chunksFrom(doneNo)
    for (const chunk of chunks) {
      let after = chunk.doneNo === place.doneNo ? (place.row ?? -1) : -1
      for (;;) {
        signal.throwIfAborted()
        const piece = await pages.next(job, chunk, { only: only ?? null, cursors }, after)
        if (piece === null) break
        after = piece.lastRow
        yield piece.bytes
      }
      doneNo = doneNoOf(chunk)
    }
    if (last) return
  }
}

interface Listed {
  readonly job: Job
  readonly chunks: readonly Chunk[]
  /** Nothing comes after these. */
  readonly last: boolean
}

/** Chunks that were done after a given one: page by page from the store as long as there are whole pages, then from the feed that all readers of the job share. */
function listing(
  { deps: { store }, feeds, reading, follow, signal }: FollowDeps & Pick<RowsRequest, 'follow' | 'signal'>,
  found: Job,
): (doneNo: number) => Promise<Listed> {
  let seen = found
  let isBehind = true
  const fromStore = async (doneNo: number): Promise<Listed> => {
    // The state is read first: what was done before it is found below.
    seen = (await store.jobs.getByNo(found.jobNo)) ?? seen
    const chunks = seen.input === null ? [] : await store.chunks.listDone(found.jobNo, doneNo, PAGE)
    isBehind = chunks.length === PAGE
    return { job: seen, chunks, last: !isBehind && (!follow || standsStill(seen)) }
  }
  return async (doneNo) => {
    if (isBehind) return reading(() => fromStore(doneNo))
    const feed = await feeds.next(seen, { doneNo, seq: null }, signal)
    if (feed.chunksAfter > doneNo) return reading(() => fromStore(doneNo))
    seen = feed.job
    const chunks = seen.input === null ? [] : feed.chunks.filter((chunk) => doneNoOf(chunk) > doneNo)
    return { job: seen, chunks, last: standsStill(seen) }
  }
}

function placeOf(cursor: string): RowPlace {
  const parts = /^(\d{1,15})(?:\.(\d{1,15}))?$/.exec(cursor)
  if (parts === null)
    throw new SluiceError('request_invalid', `${JSON.stringify(cursor)} is no cursor of these results`)
  return { doneNo: Number(parts[1]), row: parts[2] === undefined ? null : Number(parts[2]) }
}
