import type { Chunk, ChunkState } from '../domain/chunk.ts'
import type { Cause } from '../domain/failure.ts'
import { isTrial, type Job, type JobId, type JobState } from '../domain/job.ts'
import type { OutcomeState } from '../domain/row.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import type { JobStatus } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { EngineDeps } from './engine-deps.ts'
import { assertRowsKept } from './kept-rows.ts'
import { createStatusReader } from './status.ts'

/** Rows, jobs or chunks that are read at a time. */
const READ = 200

/** Reads for one page at the most, where few fit what is asked for: the page is shorter then, and the next goes on. */
const MOST_READS = 25

/** One page of a list. `next`: where the page after it begins; `null`: there is none. */
export interface Page<T, Place> {
  readonly items: readonly T[]
  readonly next: Place | null
}

/** Lists of a tenant's jobs and of what is in them, page by page. */
export interface JobPages {
  /** Newest first, trials aside; `after`: the last job of the page before. Throws `request_invalid` where that is none of the tenant's. */
  jobs(page: {
    readonly limit: number
    readonly after: JobId | null
    readonly states: readonly JobState[] | null
    readonly spec: string | null
  }): Promise<Page<JobStatus, JobId>>
  /** In order, from chunk number `from` on. Throws `job_not_found`. */
  chunks(
    id: JobId,
    page: { readonly limit: number; readonly from: number; readonly states: readonly ChunkState[] | null },
  ): Promise<Page<Chunk, number>>
  /** Rows that have their outcome, in input order, from row index `from` on. Throws `job_not_found`. */
  rows(
    id: JobId,
    page: {
      readonly limit: number
      readonly from: number
      readonly states: readonly OutcomeState[] | null
      readonly cause: Cause | null
    },
  ): Promise<Page<StoredOutcome, number>>
}

/** Creates the lists of the tenant that `deps` are of. */
export function createJobPages(deps: EngineDeps): JobPages {
  const { store, tenantNo } = deps
  const reader = createStatusReader(deps)
  const find = async (id: JobId): Promise<Job> => {
    const job = await store.jobs.get(tenantNo, id)
    if (job === null) throw new SluiceError('job_not_found', `there is no job ${id} here`)
    return job
  }
  return Object.freeze({
    async jobs({ limit, after, states, spec }) {
      const start = after === null ? null : await store.jobs.get(tenantNo, after)
      if (after !== null && start === null)
        throw new SluiceError('request_invalid', 'query: cursor is none of this list')
      const { items, next } = await gather<Job, Job | null>({
        limit,
        from: start,
        read: (before) =>
          store.jobs.list(tenantNo, {
            limit: READ,
            ...(before !== null && { before: before.jobNo }),
            ...(states !== null && { states }),
          }),
        placeAfter: (job) => job,
        fits: (job) => !isTrial(job) && (spec === null || job.specName === spec),
      })
      return { items: await reader.readAll(items.map(({ jobNo }) => jobNo)), next: next?.id ?? null }
    },
    async chunks(id, { limit, from, states }) {
      const { jobNo } = await find(id)
      return gather<Chunk, number>({
        limit,
        from,
        read: (start) => store.chunks.list(jobNo, start, READ),
        placeAfter: ({ chunkNo }) => chunkNo + 1,
        fits: ({ state }) => states === null || states.includes(state),
      })
    },
    async rows(id, { limit, from, states, cause }) {
      const job = await find(id)
      assertRowsKept(job)
      return gather<StoredOutcome, number>({
        limit,
        from,
        read: (start) => store.rows.list(job.jobNo, start, READ, states ?? undefined),
        placeAfter: ({ rowIndex }) => rowIndex + 1,
        fits: (row) => cause === null || row.cause === cause,
      })
    },
  } satisfies JobPages)
}

interface Gathering<T, Place> {
  readonly limit: number
  readonly from: Place
  /** At most `READ` of them, from that place on. */
  readonly read: (from: Place) => Promise<readonly T[]>
  readonly placeAfter: (item: T) => Place
  readonly fits: (item: T) => boolean
}

/** The next items that fit, as many as asked for, or as are found within a bounded number of reads. */
async function gather<T, Place>({ limit, from, read, placeAfter, fits }: Gathering<T, Place>): Promise<Page<T, Place>> {
  const items: T[] = []
  let place = from
  for (let reads = 0; reads < MOST_READS; reads++) {
    const found = await read(place)
    for (const [at, item] of found.entries()) {
      place = placeAfter(item)
      if (!fits(item)) continue
      items.push(item)
      if (items.length === limit) return { items, next: at + 1 === found.length && found.length < READ ? null : place }
    }
    if (found.length < READ) return { items, next: null }
  }
  return { items, next: place }
}
