import { failure } from '../domain/failure.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { chunkMessages } from '../queue/chunk-messages.ts'
import type { Task } from '../queue/queue.ts'
import { pendingRows } from './cancel.ts'
import { changeAndTell } from './change-and-tell.ts'
import { fulfilWish, mendQueue } from './control.ts'
import { enqueueFinalizer } from './enqueue.ts'
import { failIntake } from './fail-intake.ts'
import type { JobDeps } from './job-deps.ts'
import { tellEnd } from './tell-end.ts'

/** Jobs that one turn looks at: a long list is gone through over several turns, and begun again. */
const PAGE = 200
/** Messages that one turn takes off the list of those that kill their workers. */
const DEAD_PAGE = 20

/** As whom the reconciler claims the chunks that it fails. */
const OWNER = 'reconciler'

/** Where a turn begins, when it has to stop, and who hears what went wrong with a single job. */
export interface ReconcileTurn {
  readonly afterJobNo: number
  readonly holds: () => boolean
  readonly onTrouble: (jobNo: number, error: unknown) => void
}

/**
 * One turn of what sets a fleet's jobs right, whatever became of the workers that should have: leases of the dead are freed, wishes fulfilled that
 * nobody is left to fulfil, chunks and ends of rounds failed that kill every worker, and messages made again for jobs that have none. Harmless
 * to repeat, and beside any worker. What goes wrong with one job holds up no other. Returns after which job the next turn goes on.
 */
export async function reconcile(deps: JobDeps, { afterJobNo, holds, onTrouble }: ReconcileTurn): Promise<number> {
  const { store, queue } = deps
  const each = async <T extends { readonly jobNo: number }>(items: readonly T[], mend: (item: T) => Promise<void>) => {
    for (const item of items) {
      if (!holds()) return false
      await mend(item).catch((error: unknown) => {
        if (error instanceof StorageFailure) throw error
        onTrouble(item.jobNo, error)
      })
    }
    return true
  }
  await queue.reclaim(deps.isGone)
  await each(await store.fleet.wished(PAGE), ({ jobNo }) => fulfilWish(deps, jobNo))
  const dead = await store.write((tx) => queue.takeDead(tx, DEAD_PAGE))
  // Whatever becomes of us on the way: a chunk without a message gets one again below, once its job has no other.
  await each(dead, (task) => fail(deps, task))
  await each(await store.jobs.inTurn(null), ({ jobNo }) => mendQueue(deps, jobNo))
  const jobs = await store.fleet.active(afterJobNo, PAGE)
  if (!(await each(jobs, ({ jobNo }) => mendQueue(deps, jobNo)))) return afterJobNo
  return jobs.length < PAGE ? 0 : (jobs[jobs.length - 1]?.jobNo ?? 0)
}

function fail(deps: JobDeps, task: Task): Promise<void> {
  switch (task.kind) {
    case 'intake':
      return failReading(deps, task.jobNo)
    case 'chunk':
      return failChunk(deps, task)
    case 'finalize':
      return failRound(deps, task)
  }
}

/** An input that kills whoever reads it: the job fails, before anything is spent. */
async function failReading(deps: JobDeps, jobNo: number): Promise<void> {
  const job = await deps.store.jobs.getByNo(jobNo)
  if (job !== null) await failIntake(deps, job, 'the workers that were to read its input died again and again')
}

/** A chunk whose workers die before they can even claim it: its rows become dead letters, and the job goes on without them. */
async function failChunk(deps: JobDeps, task: Task & { readonly kind: 'chunk' }): Promise<void> {
  const { store, runtime } = deps
  const claimed = await store.chunks.claim(task, OWNER, true, runtime.now())
  if (claimed === null) return
  const { chunk, job } = claimed
  const pending = await pendingRows(deps, job, chunk)
  const { message } = failure('chunk_failed', 'the workers that took this chunk up died again and again')
  const result = await store.write(async (tx) => {
    const result = await store.chunks.fail(tx, chunk, message, pending, runtime.now())
    if (result === 'last') await enqueueFinalizer(deps, tx, job)
    if (result !== 'completed') return result
    const { refs, priority } = await store.chunks.nextReady(tx, job.jobNo, 1)
    await deps.queue.enqueue(tx, chunkMessages(refs, job.tenantNo, priority ?? (await deps.specOf(job)).priority))
    return result
  })
  if (result === 'stale') return
  const { jobNo, id: jobId, tenantNo } = job
  deps.events?.emit('chunk.failed', { jobNo, jobId, tenantNo, chunkNo: chunk.chunkNo, rows: pending.length })
}

/** A round whose end kills its workers: the job fails, its rows' outcomes stay. */
async function failRound(deps: JobDeps, task: Task & { readonly kind: 'finalize' }): Promise<void> {
  const { store, runtime } = deps
  const job = await store.jobs.getByNo(task.jobNo)
  if (job?.round !== task.round) return
  const changed = await store.write((tx) =>
    changeAndTell(deps, tx, job, ['finalizing'], {
      to: 'failed',
      reason: 'error',
      detail: 'the workers that were to end this job died again and again; its rows are kept',
      atMs: runtime.now(),
    }),
  )
  if (changed) await tellEnd(deps, job.jobNo)
}
