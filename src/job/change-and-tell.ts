import { isTrial, type Job, type JobState } from '../domain/job.ts'
import { isNotifyState } from '../domain/notice.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import { noticesOf } from '../notify/notices.ts'
import type { StateChange } from '../store/role/jobs.ts'
import type { JobDeps } from './job-deps.ts'
import { marksOf, tellMarks } from './tell-marks.ts'

/**
 * Changes a job's state as `store.jobs.change` does, and writes down, in the same transaction, whom its spec wants to hear of it: both stand, or
 * neither. What it has reached of its budget, and which rules it breaks, is told with it where nobody has seen that before. Every change after which a
 * job is over or stands still goes through here. Of trials and pilots nobody is told.
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
  const spec = isTrial(job) || !isNotifyState(change.to) ? null : await specUnlessLost(deps, job)
  if (spec?.notify === undefined) return true
  // Its chunks were closed before: what the totals come to does not depend on `tx`.
  const { counters, job: known } = await store.jobs.progress(job.jobNo)
  const { to: state, reason = null, atMs } = change
  const standing = { job: known, counters, state, reason, atMs }
  await store.outbox.put(tx, job, noticesOf(spec.notify, standing, runtime.uuid), atMs)
  // Whoever cancels a job does not care how far it had come.
  if (state !== 'cancelled') await tellMarks(deps, tx, standing, spec, await marksOf(deps, spec, standing))
  return true
}

/** A job can be ended whose spec cannot be read any more; then it names nobody. */
async function specUnlessLost({ specOf }: JobDeps, job: Job): Promise<Spec | null> {
  try {
    return await specOf(job)
  } catch (error) {
    if (error instanceof SluiceError) return null
    throw error
  }
}
