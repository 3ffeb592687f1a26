import type { Chunk } from '../domain/chunk.ts'
import type { Counters, Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { changeAndTell } from './change-and-tell.ts'
import type { JobDeps } from './job-deps.ts'
import { tellEnd } from './tell-end.ts'

/** Chunks looked at in one go. */
const PAGE = 100

/**
 * Ends every open row of a job as `cancelled`, chunk by chunk, and then the job. Killed in between, it goes on where it was: the wish stands in
 * the store until the last transaction.
 */
export async function cancelOpenChunks(deps: JobDeps, job: Job): Promise<void> {
  const { store, queue, runtime } = deps
  const { counters: before } = await store.jobs.progress(job.jobNo)
  await store.write(async (tx) => {
    await store.chunks.takeBack(tx, job.jobNo)
    await queue.purge(tx, job.jobNo)
  })
  // An intake in another process may add chunks until the job is over.
  while (!(await endWhereClosed(deps, job, before))) {
    for (let from = 0; ; ) {
      const chunks = await store.chunks.list(job.jobNo, from, PAGE)
      for (const chunk of chunks) {
        if (chunk.state === 'done' || chunk.state === 'failed') continue
        const pending = await pendingRows(deps, job, chunk)
        const ended = await store.write((tx) => store.chunks.cancelOpen(tx, chunk, pending, runtime.now()))
        // Somebody holds one after all: whoever gives it back calls again.
        if (!ended) return
      }
      const last = chunks[chunks.length - 1]
      if (last === undefined || chunks.length < PAGE) break
      from = last.chunkNo + 1
    }
  }
}

/** Makes the job `cancelled` if none of its chunks is open, also if an intake adds some at this moment. */
async function endWhereClosed(deps: JobDeps, job: Job, before: Counters): Promise<boolean> {
  const { store, runtime } = deps
  const { changed, over } = await store.write(async (tx) => {
    const changed = await changeAndTell(deps, tx, job, ['created', 'queued', 'running', 'paused'], {
      to: 'cancelled',
      reason: null,
      detail: 'cancelled by the user',
      closed: true,
      atMs: runtime.now(),
    })
    return { changed, over: changed || ((await store.jobs.getByNo(job.jobNo))?.openChunks ?? 0) === 0 }
  })
  if (changed) await tellEnd(deps, job.jobNo, before)
  return over
}

/** The chunk's rows without an outcome. Where the snapshot is damaged they go by their index: a job can be cancelled all the same. */
export async function pendingRows({ store, readRows }: JobDeps, job: Job, chunk: Chunk) {
  const ended = await store.rows.ended(job.jobNo, chunk.firstRow, chunk.rows)
  const rows = await readRows(job, chunk).catch((error: unknown) => {
    if (!(error instanceof SluiceError) || error.code !== 'snapshot_damaged') throw error
    return Array.from({ length: chunk.rows }, (_, n) => ({ index: chunk.firstRow + n, id: String(chunk.firstRow + n) }))
  })
  return rows.filter((row) => !ended.has(row.index)).map(({ index, id }) => ({ index, id }))
}
