import type { Job } from '../domain/job.ts'
import type { JobDeps } from './job-deps.ts'

/** Chunks looked at in one go. */
const PAGE = 100

/**
 * Ends every open row of a job as `cancelled`, chunk by chunk, and then the job. Killed in between, it goes on where it was: the wish stands in
 * the store until the last transaction.
 */
export async function cancelOpenChunks(deps: JobDeps, job: Job): Promise<void> {
  const { store, queue, runtime } = deps
  await store.write(async (tx) => {
    await store.chunks.takeBack(tx, job.jobNo)
    await queue.purge(tx, job.jobNo)
  })
  for (let from = 0; ; ) {
    const chunks = await store.chunks.list(job.jobNo, from, PAGE)
    for (const chunk of chunks) {
      if (chunk.state === 'done' || chunk.state === 'failed') continue
      const ended = await store.rows.ended(job.jobNo, chunk.firstRow, chunk.rows)
      const rows = await deps.readRows(job, chunk)
      const pending = rows.filter((row) => !ended.has(row.index)).map((row) => ({ index: row.index, id: row.id }))
      await store.write(async (tx) => void (await store.chunks.cancelOpen(tx, chunk, pending, runtime.now())))
    }
    const last = chunks[chunks.length - 1]
    if (last === undefined || chunks.length < PAGE) break
    from = last.chunkNo + 1
  }
  await store.write(async (tx) => {
    await store.jobs.change(tx, job.jobNo, ['created', 'queued', 'running', 'paused'], {
      to: 'cancelled',
      reason: null,
      detail: 'cancelled by the user',
      atMs: runtime.now(),
    })
  })
}
