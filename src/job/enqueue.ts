import type { Job } from '../domain/job.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { NewMessage } from '../queue/queue.ts'
import type { JobDeps } from './job-deps.ts'

/**
 * Makes the queue say what the manifest says: a message for every chunk that is `ready`; and where no chunk is open at all, the end of the
 * round. What is there already stays.
 */
export async function enqueueWork(deps: JobDeps, tx: StoreTx, job: Job): Promise<void> {
  const { store, runtime } = deps
  const ready = await enqueueReadyChunks(deps, tx, job)
  // Chunks that are open and not ready are held by somebody, who will close them or give them back.
  if (ready > 0 || ((await store.jobs.getByNo(job.jobNo))?.openChunks ?? 0) > 0) return
  await store.jobs.change(tx, job.jobNo, ['queued', 'running'], { to: 'finalizing', atMs: runtime.now() })
  await enqueueFinalizer(deps, tx, job)
}

async function enqueueReadyChunks(deps: JobDeps, tx: StoreTx, job: Job): Promise<number> {
  const refs = await deps.store.chunks.open(job.jobNo, tx)
  const priority = job.settings.priority ?? (await deps.specOf(job)).priority
  const messages = refs.map(
    (ref): NewMessage => ({ task: { kind: 'chunk', ...ref }, tenantNo: job.tenantNo, priority }),
  )
  await deps.queue.enqueue(tx, messages)
  return refs.length
}

/** Asks for the finalizer of the job's round; unique per round. */
export async function enqueueFinalizer(deps: JobDeps, tx: StoreTx, job: Job): Promise<void> {
  const task = { kind: 'finalize', jobNo: job.jobNo, round: job.round } as const
  await deps.queue.enqueue(tx, [{ task, tenantNo: job.tenantNo, priority: 'high' }])
}
