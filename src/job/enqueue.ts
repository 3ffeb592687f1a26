import type { Job, Priority } from '../domain/job.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { chunkMessages, WINDOW } from '../queue/chunk-messages.ts'
import type { JobDeps } from './job-deps.ts'

/**
 * Makes the queue say what the manifest says: messages for the job's first ready chunks, a window full of them, each of which lets the next one in
 * when it ends; and where no chunk is open at all, the end of the round. What is there already stays. A job whose tenant runs as many as it may waits for
 * its turn instead.
 */
export async function enqueueWork(deps: JobDeps, tx: StoreTx, job: Job): Promise<void> {
  const { store, runtime, specOf } = deps
  const priority = job.settings.priority ?? (await specOf(job)).priority
  if (!(await store.jobs.admit(tx, job.jobNo, priority))) return
  const ready = await enqueueFirstChunks(deps, tx, job, priority)
  // Chunks that are open and not ready are held by somebody, who will close them or give them back.
  if (ready > 0 || ((await store.jobs.getByNo(job.jobNo))?.openChunks ?? 0) > 0) return
  await store.jobs.change(tx, job.jobNo, ['queued', 'running'], { to: 'finalizing', atMs: runtime.now() })
  await enqueueFinalizer(deps, tx, job)
}

/** Begins anew at the first chunk, since chunks before the cursor may have lost their messages (a purge) or have become ready again (a retry). */
async function enqueueFirstChunks(deps: JobDeps, tx: StoreTx, job: Job, priority: Priority): Promise<number> {
  const { store, queue, window = WINDOW } = deps
  await store.chunks.rewind(tx, job.jobNo)
  const { refs } = await store.chunks.nextReady(tx, job.jobNo, window)
  await queue.enqueue(tx, chunkMessages(refs, job.tenantNo, priority))
  return refs.length
}

/** Asks for somebody to read the job's input. */
export async function enqueueIntake(deps: Pick<JobDeps, 'queue'>, tx: StoreTx, job: Job): Promise<void> {
  const task = { kind: 'intake', jobNo: job.jobNo } as const
  await deps.queue.enqueue(tx, [{ task, tenantNo: job.tenantNo, priority: 'high' }])
}

/** Asks for the finalizer of the job's round; unique per round. */
export async function enqueueFinalizer(deps: JobDeps, tx: StoreTx, job: Job): Promise<void> {
  const task = { kind: 'finalize', jobNo: job.jobNo, round: job.round } as const
  await deps.queue.enqueue(tx, [{ task, tenantNo: job.tenantNo, priority: 'high' }])
}
