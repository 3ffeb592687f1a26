import { isTerminal, type Job, type StateReason } from '../domain/job.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { bringHome } from './bring-home.ts'
import { cancelOpenChunks } from './cancel.ts'
import { changeAndTell } from './change-and-tell.ts'
import { enqueueFinalizer, enqueueIntake, enqueueWork } from './enqueue.ts'
import type { JobDeps } from './job-deps.ts'
import { tellEnd } from './tell-end.ts'
import { purgeIdle, unlessFetched } from './unless-fetched.ts'

/** States in which a job has not stood still. */
const ACTIVE = ['created', 'queued', 'running', 'finalizing'] as const

/** Reasons that end a job instead of pausing it. */
const ENDINGS: ReadonlySet<StateReason> = new Set<StateReason>(['timeout', 'error', 'intake'])

/** Rolls a change back whose wish was withdrawn meanwhile. */
class Withdrawn extends Error {}

/**
 * Makes the change of state that `jobs.wanted` asks for. Does nothing while a worker holds a message of the job: the last one to give its
 * chunks back calls again. Harmless to repeat.
 */
export async function fulfilWish(deps: JobDeps, jobNo: number): Promise<void> {
  const { store, queue } = deps
  await queue.reclaim(deps.isGone)
  const job = await store.jobs.getByNo(jobNo)
  if (job === null || job.wanted === null || job.state === 'finalizing') return
  if (isTerminal(job.state) || (job.state === 'paused' && job.wanted === 'pause')) {
    await store.jobs.want(jobNo, null)
    return
  }
  if ((await queue.depth(jobNo)).leased > 0) return
  const ends = job.wanted === 'cancel' || (await isEnding(deps, job))
  // What a provider has of it is paid for: it is booked first.
  if (ends && !(await bringHome(deps, job))) return
  if (job.wanted === 'cancel') return cancelOpenChunks(deps, job)
  await makePause(deps, job, ends)
}

async function makePause(deps: JobDeps, job: Job, ends: boolean): Promise<void> {
  const { store, queue, runtime } = deps
  try {
    await store.write(async (tx) => {
      await store.chunks.takeBack(tx, job.jobNo)
      await queue.purge(tx, job.jobNo)
      const changed = await changeAndTell(deps, tx, job, ['created', 'queued', 'running'], {
        to: ends ? 'failed' : 'paused',
        reason: job.wantedReason ?? 'user',
        detail: job.wantedDetail,
        fulfils: 'pause',
        atMs: runtime.now(),
      })
      if (!changed) throw new Withdrawn()
    })
    if (ends) await tellEnd(deps, job.jobNo)
  } catch (error) {
    if (!(error instanceof Withdrawn)) throw error
  }
}

/** Whether what is wanted of the job ends it; of a budget its spec says so. */
async function isEnding({ specOf }: JobDeps, job: Job): Promise<boolean> {
  if (job.wantedReason === 'budget') return (await specOf(job)).budget.onExceed === 'stop'
  return job.wantedReason !== null && ENDINGS.has(job.wantedReason)
}

/** Asks for a pause, and makes it at once where nobody works on the job. A job that is paused stays so. */
export async function pause(deps: JobDeps, job: Job): Promise<void> {
  if (job.state === 'paused') return
  if (isTerminal(job.state) || job.state === 'finalizing') throw inNoState(job, 'paused')
  await deps.store.jobs.want(job.jobNo, 'pause', 'user', 'paused by the user')
  await fulfilWish(deps, job.jobNo)
}

/** Asks for the end of the job, and makes it at once where nobody works on it. A cancelled job stays so. */
export async function cancel(deps: JobDeps, job: Job): Promise<void> {
  if (job.state === 'cancelled') return
  if (isTerminal(job.state) || job.state === 'finalizing') throw inNoState(job, 'cancelled')
  await deps.store.jobs.want(job.jobNo, 'cancel', null, null)
  await fulfilWish(deps, job.jobNo)
}

/**
 * Makes a paused job `queued` (or `created`, where its input was not read to the end), with a message for every open chunk. On a job that is
 * queued, running or finalizing it mends the queue, forgives the deaths of its chunks, and withdraws a wish to pause that nobody has obeyed yet.
 */
export async function resume(deps: JobDeps, job: Job): Promise<void> {
  const { store, queue, runtime } = deps
  if (isTerminal(job.state)) throw inNoState(job, 'resumed')
  if (job.wanted === 'cancel') {
    // Whoever resumes it collects what its provider has of it.
    if (await isInBatches(deps, job)) return
    throw inNoState(job, 'resumed: it is being cancelled')
  }
  await queue.reclaim(deps.isGone)
  if (job.wanted === 'pause') await store.jobs.want(job.jobNo, null)
  const change = async (tx: StoreTx) => {
    await store.jobs.lock(tx, job.jobNo, 'exclusive')
    const { done } = await store.chunks.intakeProgress(job.jobNo)
    await store.jobs.change(tx, job.jobNo, ['paused'], { to: done ? 'queued' : 'created', atMs: runtime.now() })
    if (!done) {
      if (job.begunAtMs !== undefined) await enqueueIntake(deps, tx, job)
      return
    }
    await store.chunks.forgiveDeaths(tx, job.jobNo)
    if ((await queue.depth(job.jobNo)).leased === 0) {
      await store.chunks.takeBack(tx, job.jobNo)
      // Made anew below: a message that a dead worker held would count as one more death.
      await purgeIdle(queue, tx, job.jobNo)
    }
    await enqueueWork(deps, tx, job)
  }
  await unlessFetched(() => store.write(change))
  await store.restoreBallast()
}

/** Lets those jobs begin that waited for their turn, and have it now: of one tenant, or (`null`) of all. Harmless at any time. */
export async function admitWaiting(deps: JobDeps, tenantNo: number | null): Promise<void> {
  for (const { jobNo } of await deps.store.jobs.inTurn(tenantNo)) await mendQueue(deps, jobNo)
}

/**
 * Makes the messages of a job again where the queue has none left, though the job is to be worked on: the manifest is the truth. Harmless at
 * any time.
 */
export async function mendQueue(deps: JobDeps, jobNo: number): Promise<void> {
  const { store, queue } = deps
  const isEmpty = async () => {
    const { ready, delayed, leased } = await queue.depth(jobNo)
    return ready + delayed + leased === 0
  }
  if (!(await isEmpty())) return
  const seen = await store.jobs.getByNo(jobNo)
  if (seen?.waits && !(await store.jobs.inTurn(seen.tenantNo)).some((job) => job.jobNo === jobNo)) return
  await store.write(async (tx) => {
    await store.jobs.lock(tx, jobNo, 'exclusive')
    if (!(await isEmpty())) return
    const job = await store.jobs.getByNo(jobNo)
    if (job?.state === 'finalizing') await enqueueFinalizer(deps, tx, job)
    if (job === null || job.wanted !== null || (job.state !== 'queued' && job.state !== 'running')) return
    await store.chunks.takeBack(tx, jobNo)
    await enqueueWork(deps, tx, job)
  })
}

async function isInBatches({ store }: JobDeps, { jobNo }: Job): Promise<boolean> {
  return (await store.batches.outstanding(jobNo)).shards.length > 0
}

function inNoState(job: Job, what: string): SluiceError {
  const active = (ACTIVE as readonly string[]).includes(job.state)
  return new SluiceError('job_state', `${job.id} is ${job.state} and cannot be ${what}`, {
    hint: active ? 'Wait for it: `sluice wait`.' : 'Terminal states change only through `sluice retry`.',
  })
}
