import type { Job } from '../domain/job.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import type { NewMessage } from '../queue/queue.ts'
import type { JobDeps } from './job-deps.ts'

/** Makes the queue say what the manifest says: a message for every open chunk. What is there already stays. Returns how many chunks are open. */
export async function enqueueOpenChunks(deps: JobDeps, tx: StoreTx, job: Job): Promise<number> {
  const refs = await deps.store.chunks.open(job.jobNo, tx)
  const priority = job.settings.priority ?? (await deps.specOf(job)).priority
  const messages: NewMessage[] = refs.map((ref) => ({ task: { kind: 'chunk', ...ref }, tenantNo: job.tenantNo, priority }))
  await deps.queue.enqueue(tx, messages)
  return refs.length
}

/** Asks for the finalizer of the job's round; unique per round. */
export async function enqueueFinalizer(deps: JobDeps, tx: StoreTx, job: Job): Promise<void> {
  await deps.queue.enqueue(tx, [{ task: { kind: 'finalize', jobNo: job.jobNo, round: job.round }, tenantNo: job.tenantNo, priority: 'high' }])
}
