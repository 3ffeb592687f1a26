import { SluiceError } from '../errors.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { beginJob } from './begin-job.ts'
import { createJob } from './create-job.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { JobDesk } from './job-desk.ts'
import { submissionOf } from './submission.ts'

/** Creates the desk of the tenant that `deps` are of. */
export function createJobDesk(deps: EngineDeps, jobDeps: JobDeps): JobDesk {
  const find = async (id: string) => {
    const job = await deps.store.jobs.get(deps.tenantNo, id)
    if (job === null) throw new SluiceError('job_not_found', `there is no job ${id} here`)
    return job
  }
  return Object.freeze({
    create: (request) => createJob(deps, request),
    async input(id) {
      const submission = await submissionOf(deps, await find(id))
      return { fileId: submission.fileId ?? null, columnsHint: submission.columnsHint ?? null }
    },
    begin: async (id, options) => beginJob(deps, jobDeps, await find(id), options),
  } satisfies JobDesk)
}
