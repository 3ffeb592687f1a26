import type { Job } from '../domain/job.ts'
import { changeAndTell } from './change-and-tell.ts'
import type { JobDeps } from './job-deps.ts'
import { tellEnd } from './tell-end.ts'

/** Ends a job as `failed` (`intake`) that is still to read its input, before anything is spent, and tells of it. One that has gone on meanwhile stays as it is. */
export async function failIntake(deps: JobDeps, job: Job, detail: string | null): Promise<void> {
  const { store, runtime } = deps
  const changed = await store.write((tx) =>
    changeAndTell(deps, tx, job, ['created'], { to: 'failed', reason: 'intake', detail, atMs: runtime.now() }),
  )
  if (changed) await tellEnd(deps, job.jobNo)
}
