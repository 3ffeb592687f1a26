import type { Chunk } from '../domain/chunk.ts'
import { costUsd, isTerminal, type Job, rowTotals, tokenTotals } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import type { StoredEvent } from '../store/role/events.ts'
import { doneNoOf } from './job-feed.ts'
import type { FollowDeps } from './row-stream.ts'
import type { EventsRequest, JobEvent } from './transfer-desk.ts'
import { standsStill } from './watch.ts'

/** Events, and chunks, that are listed at a time. */
const PAGE = 100

type ChunkPages = AsyncIterable<readonly Chunk[]> | readonly (readonly Chunk[])[]

/** How far somebody has followed the two lists that events come from: those of the job, and its chunks as they were done. */
interface EventPlace {
  readonly seq: number
  readonly doneNo: number
}

/** What happened to a job, and happens (see TransferDesk.events). */
export async function eventStream(
  following: FollowDeps,
  job: Job,
  request: EventsRequest,
): Promise<AsyncIterable<readonly JobEvent[]> | null> {
  const {
    deps: { store },
    reading,
  } = following
  const place = request.after === null ? { seq: 0, doneNo: 0 } : placeOf(request.after)
  if (isTerminal(job.state)) {
    const events = await reading(() => store.events.list(job.jobNo, place.seq, 1))
    const chunks = await reading(() => store.chunks.listDone(job.jobNo, place.doneNo, 1))
    if (events.length + chunks.length === 0) return null
  }
  return eventsAfter(following, job, place, request.signal)
}

async function* eventsAfter(
  { deps: { store }, feeds, reading }: FollowDeps,
  found: Job,
  from: EventPlace,
  signal: AbortSignal,
): AsyncGenerator<readonly JobEvent[]> {
  const { jobNo } = found
  let [seen, place, isBehind] = [found, from, true]
  while (true) {
    signal.throwIfAborted()
    let [events, chunks]: [readonly StoredEvent[], ChunkPages] = [[], []]
    const feed = isBehind ? null : await feeds.next(seen, place, signal)
    const isRead = feed === null || feed.chunksAfter > place.doneNo || (feed.eventsAfter ?? 0) > place.seq
    if (isRead) {
      // The state is read first, then what led to it: what is told of a state that ends the job is told last.
      seen = (await reading(() => store.jobs.getByNo(jobNo))) ?? seen
      const after = place.seq
      events = await reading(() => store.events.list(jobNo, after, PAGE))
      isBehind = events.length === PAGE
      chunks = chunksAfter((after) => reading(() => store.chunks.listDone(jobNo, after, PAGE)), place.doneNo)
    } else {
      seen = feed.job
      events = feed.events.filter(({ seq }) => seq > place.seq)
      chunks = pagesOf(feed.chunks.filter((chunk) => doneNoOf(chunk) > place.doneNo))
    }
    for await (const page of inOrder(events, chunks, place, found.id)) {
      place = page.place
      yield page.told
    }
    if (isBehind || !isTerminal(seen.state)) continue
    if (isRead) return
    // A feed that nobody had asked for events does not know what was told of the end: the store does.
    isBehind = true
  }
}

/** Chunks that were done, page by page, to the last that there is now. */
async function* chunksAfter(
  list: (after: number) => Promise<readonly Chunk[]>,
  after: number,
): AsyncGenerator<readonly Chunk[]> {
  for (let from = after; ; ) {
    const page = await list(from)
    yield page
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    from = doneNoOf(last)
  }
}

function pagesOf(chunks: readonly Chunk[]): ChunkPages {
  return Array.from({ length: Math.ceil(chunks.length / PAGE) }, (_, n) => chunks.slice(n * PAGE, (n + 1) * PAGE))
}

/** Some events at once, and how far they go. */
interface Told {
  readonly told: readonly JobEvent[]
  readonly place: EventPlace
}

/** What began before the chunks were done, the chunks, and then what halted or ended the job. */
async function* inOrder(
  events: readonly StoredEvent[],
  chunks: ChunkPages,
  from: EventPlace,
  jobId: string,
): AsyncGenerator<Told> {
  let place = from
  const ofJob = (event: StoredEvent): JobEvent => {
    place = { ...place, seq: event.seq }
    return { id: idOf(place), type: event.type, data: dataOf(event, jobId) }
  }
  const ofChunk = (chunk: Chunk): JobEvent => {
    place = { ...place, doneNo: doneNoOf(chunk) }
    return { id: idOf(place), type: 'chunk.done', data: JSON.stringify(chunkData(chunk, jobId)) }
  }
  const halt = events.findIndex(isHalt)
  const before = halt < 0 ? events : events.slice(0, halt)
  if (before.length > 0) yield { told: before.map(ofJob), place }
  for await (const page of chunks) if (page.length > 0) yield { told: page.map(ofChunk), place }
  const after = events.slice(before.length)
  if (after.length > 0) yield { told: after.map(ofJob), place }
}

function isHalt({ type, data }: StoredEvent): boolean {
  if (type !== 'job.state') return false
  const { to } = JSON.parse(data) as { readonly to: Job['state'] }
  return to === 'finalizing' || standsStill({ state: to } as Job)
}

function dataOf({ atMs, data }: StoredEvent, jobId: string): string {
  return JSON.stringify({ job_id: jobId, at: new Date(atMs).toISOString(), ...(JSON.parse(data) as object) })
}

function chunkData({ chunkNo, firstRow, rows, state, round, counters }: Chunk, jobId: string): object {
  return {
    job_id: jobId,
    chunk_id: chunkNo,
    first_row: firstRow,
    state,
    round,
    rows: rowTotals(rows, counters),
    tokens: tokenTotals(counters),
    cost_usd: costUsd(counters),
  }
}

function idOf({ seq, doneNo }: EventPlace): string {
  return `${seq}.${doneNo}`
}

function placeOf(id: string): EventPlace {
  const parts = /^(\d{1,15})\.(\d{1,15})$/.exec(id)
  if (parts === null) throw new SluiceError('request_invalid', `${JSON.stringify(id)} is no id of these events`)
  return { seq: Number(parts[1]), doneNo: Number(parts[2]) }
}
