import { isUnbegun, type Job, type JobState } from '../domain/job.ts'
import { enqueueFinalizer, enqueueIntake, enqueueWork } from './enqueue.ts'
import type { JobDeps } from './job-deps.ts'
import { purgeIdle, unlessFetched } from './unless-fetched.ts'

/** States in which a job must have messages. */
const NEEDS_MESSAGES: readonly JobState[] = ['created', 'queued', 'running', 'finalizing']

/** Jobs read at a time. */
const PAGE = 100

/**
 * Makes the whole queue of a tenant again from the manifest: messages for every job that is to be worked on or finalized. For a queue that was lost,
 * or that was restored from another moment than the store. Harmless at any time and to jobs that are worked on: what is leased stays so. Returns
 * how many jobs there were.
 */
export async function rebuildQueue(deps: JobDeps, tenantNo: number): Promise<number> {
  await deps.queue.reclaim(deps.isGone)
  let rebuilt = 0
  for (let before: number | undefined; ; ) {
    const jobs = await deps.store.jobs.list(tenantNo, {
      limit: PAGE,
      states: NEEDS_MESSAGES,
      ...(before !== undefined && { before }),
    })
    for (const job of jobs) if (await unlessFetched(() => rebuildJob(deps, job))) rebuilt += 1
    before = jobs[jobs.length - 1]?.jobNo
    if (before === undefined) return rebuilt
  }
}

async function rebuildJob(deps: JobDeps, { jobNo }: Job): Promise<boolean> {
  const { store, queue } = deps
  return await store.write(async (tx) => {
    await store.jobs.lock(tx, jobNo, 'exclusive')
    const leased = (await queue.depth(jobNo)).leased > 0
    // Those who believe to hold a chunk have no message of it any more: they learn so with their next heartbeat.
    if (!leased) await store.chunks.takeBack(tx, jobNo)
    const job = await store.jobs.getByNo(jobNo)
    if (job === null || !NEEDS_MESSAGES.includes(job.state)) return false
    // Its submitter reads its input.
    if (isUnbegun(job)) return false
    if (!leased) await purgeIdle(queue, tx, jobNo)
    if (job.state === 'created') await enqueueIntake(deps, tx, job)
    else if (job.state === 'finalizing') await enqueueFinalizer(deps, tx, job)
    else await enqueueWork(deps, tx, job)
    return true
  })
}
