import { setImmediate } from 'node:timers/promises'
import type { Chunk } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { Runtime } from '../runtime.ts'
import type { StoredEvent } from '../store/role/events.ts'
import type { Store } from '../store/store.ts'

/** How often it is looked what is new of a job that somebody follows. */
const LOOK_MS = 1_000
const PAGE = 100
/** Those who are told at once: whoever asks for something else is answered between. */
const TOLD_AT_ONCE = 8
/** Chunks, and events, that are kept for those who have not taken them yet; whoever is further behind reads the store. */
const KEPT = 500

/** How far somebody has followed a job. */
export interface FeedPlace {
  /** The last chunk, by the order in which chunks were done. */
  readonly doneNo: number
  /** The last event; `null`: events are not followed. */
  readonly seq: number | null
}

/** What has come of a job of late. */
export interface Feed {
  /** Read before the rest: what was done while it stood so is all here. */
  readonly job: Job
  /** All that were done after `chunksAfter`, in that order. */
  readonly chunks: readonly Chunk[]
  readonly chunksAfter: number
  /** All after `eventsAfter`; `null`: nobody has asked for them yet. */
  readonly events: readonly StoredEvent[]
  readonly eventsAfter: number | null
}

/** Who follows which job in this process: for each job the store is asked once a second, however many follow it, and not at all when nobody waits. */
export interface JobFeeds {
  /**
   * Waits until there is something of the job behind `place`, or it stands otherwise than `seen`. Rejects with the signal's reason, and with what the
   * store throws.
   */
  next(seen: Job, place: FeedPlace, signal: AbortSignal): Promise<Feed>
}

interface LiveFeed {
  job: Job
  chunks: readonly Chunk[]
  chunksAfter: number
  events: readonly StoredEvent[]
  eventsAfter: number | null
  readonly waiting: Set<Waiter>
}

interface Waiter {
  readonly look: () => void
  readonly fail: (error: unknown) => void
}

interface FeedDeps {
  readonly store: {
    readonly jobs: Pick<Store['jobs'], 'getByNo'>
    readonly chunks: Pick<Store['chunks'], 'listDone'>
    readonly events: Pick<Store['events'], 'list'>
  }
  readonly runtime: Pick<Runtime, 'sleep'>
}

/** Creates the feeds of one process. */
export function createJobFeeds(deps: FeedDeps): JobFeeds {
  const feeds = new Map<number, LiveFeed>()

  const run = async (feed: LiveFeed) => {
    const { jobNo } = feed.job
    try {
      while (feed.waiting.size > 0) {
        if (await look(deps, feed)) await tell(feed)
        await deps.runtime.sleep(LOOK_MS, undefined, { unref: true })
      }
      feeds.delete(jobNo)
    } catch (error) {
      feeds.delete(jobNo)
      for (const waiter of [...feed.waiting]) waiter.fail(error)
    }
  }

  return Object.freeze({
    async next(seen: Job, place: FeedPlace, signal: AbortSignal) {
      const known = feeds.get(seen.jobNo)
      const feed = known ?? newFeed(seen, place)
      feed.eventsAfter ??= place.seq
      if (hasNews(feed, seen, place)) return { ...feed }
      const coming = waitFor(feed, () => hasNews(feed, seen, place), signal)
      if (known === undefined) {
        feeds.set(seen.jobNo, feed)
        void run(feed)
      }
      await coming
      return { ...feed }
    },
  })
}

function newFeed(job: Job, { doneNo, seq }: FeedPlace): LiveFeed {
  return { job, chunks: [], chunksAfter: doneNo, events: [], eventsAfter: seq, waiting: new Set() }
}

function waitFor(feed: LiveFeed, isThere: () => boolean, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      feed.waiting.delete(waiter)
      signal.removeEventListener('abort', stop)
    }
    const waiter: Waiter = {
      look() {
        if (!isThere()) return
        leave()
        resolve()
      },
      fail(error) {
        leave()
        reject(error)
      },
    }
    const stop = () => waiter.fail(signal.reason)
    if (signal.aborted) return stop()
    signal.addEventListener('abort', stop, { once: true })
    feed.waiting.add(waiter)
  })
}

async function tell(feed: LiveFeed): Promise<void> {
  const all = [...feed.waiting]
  for (let at = 0; at < all.length; at += TOLD_AT_ONCE) {
    for (const waiter of all.slice(at, at + TOLD_AT_ONCE)) waiter.look()
    await setImmediate()
  }
}

/** Whether there is anything that somebody who is at `place` has not seen. */
function hasNews(feed: LiveFeed, seen: Job, { doneNo, seq }: FeedPlace): boolean {
  if (standing(feed.job) !== standing(seen) || (feed.chunks.at(-1)?.doneNo ?? feed.chunksAfter) > doneNo) return true
  return seq !== null && (feed.events.at(-1)?.seq ?? feed.eventsAfter ?? 0) > seq
}

/** What of a job matters to those who follow it. */
function standing({ state, round, input }: Job): string {
  return `${state} ${round} ${input === null}`
}

/** Asks the store what is new; whether there was anything. */
async function look({ store }: FeedDeps, feed: LiveFeed): Promise<boolean> {
  const { jobNo } = feed.job
  const before = standing(feed.job)
  const job = (await store.jobs.getByNo(jobNo)) ?? feed.job
  const events =
    feed.eventsAfter === null
      ? []
      : await all(
          feed.events.at(-1)?.seq ?? feed.eventsAfter,
          (after) => store.events.list(jobNo, after, PAGE),
          ({ seq }) => seq,
        )
  const chunks = await all(
    feed.chunks.at(-1)?.doneNo ?? feed.chunksAfter,
    (after) => store.chunks.listDone(jobNo, after, PAGE),
    doneNoOf,
  )
  feed.job = job
  feed.events = [...feed.events, ...events]
  feed.chunks = [...feed.chunks, ...chunks]
  const [oldEvents, oldChunks] = [feed.events.length - KEPT, feed.chunks.length - KEPT]
  if (oldEvents > 0) {
    feed.eventsAfter = feed.events[oldEvents - 1]?.seq ?? feed.eventsAfter
    feed.events = feed.events.slice(oldEvents)
  }
  if (oldChunks > 0) {
    feed.chunksAfter = doneNoOf(feed.chunks[oldChunks - 1] as Chunk)
    feed.chunks = feed.chunks.slice(oldChunks)
  }
  return standing(job) !== before || events.length + chunks.length > 0
}

/** The place of a chunk that is done, in the order in which chunks were. */
export function doneNoOf({ doneNo }: Chunk): number {
  return doneNo as number
}

async function all<T>(after: number, page: (after: number) => Promise<readonly T[]>, placeOf: (item: T) => number) {
  const items: T[] = []
  for (let from = after; ; ) {
    const found = await page(from)
    items.push(...found)
    const last = found.at(-1)
    if (last === undefined || found.length < PAGE) return items
    from = placeOf(last)
  }
}
