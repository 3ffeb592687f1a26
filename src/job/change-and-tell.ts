import { isTrial, type Job, type JobState } from '../domain/job.ts'
import { isNotifyState } from '../domain/notice.ts'
import type { NotifySpec } from '../domain/spec.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { noticesOf } from '../notify/notices.ts'
import type { StateChange } from '../store/role/jobs.ts'
import type { JobDeps } from './job-deps.ts'

/**
 * Changes a job's state as `store.jobs.change` does, and writes down, in the same transaction, whom its spec wants to hear of it: both stand, or
 * neither. Every change after which a job is over or stands still goes through here. Of trials and pilots nobody is told.
 */
export async function changeAndTell(
  deps: JobDeps,
  tx: StoreTx,
  job: Job,
  from: readonly JobState[],
  change: StateChange,
): Promise<boolean> {
  const { store, runtime } = deps
  if (!(await store.jobs.change(tx, job.jobNo, from, change))) return false
  const notify = isTrial(job) || !isNotifyState(change.to) ? [] : await notifyOf(deps, job)
  if (notify.length === 0) return true
  // Its chunks were closed before: what the totals come to does not depend on `tx`.
  const { counters, job: known } = await store.jobs.progress(job.jobNo)
  const { to, reason = null, atMs } = change
  await store.outbox.put(tx, job, noticesOf(notify, { job: known, counters, to, reason, atMs }, runtime.uuid), atMs)
  return true
}

/** A job can be ended whose spec cannot be read any more; then it names nobody. */
async function notifyOf({ specOf }: JobDeps, job: Job): Promise<readonly NotifySpec[]> {
  try {
    return (await specOf(job)).notify ?? []
  } catch (error) {
    if (error instanceof SluiceError) return []
    throw error
  }
}
