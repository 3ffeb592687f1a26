import { gatherReport } from '../delivery/report.ts'
import { reportJson } from '../delivery/report-json.ts'
import { reportMarkdown } from '../delivery/report-markdown.ts'
import type { Job } from '../domain/job.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './take-up.ts'

/** The completion report of a job as it stands. */
export async function reportOf(deps: EngineDeps, job: Job, format: 'md' | 'json'): Promise<string> {
  const { store, runtime } = deps
  const data = await gatherReport({ store, jobNo: job.jobNo, spec: await specOf(deps, job), nowMs: runtime.now() })
  return format === 'md' ? reportMarkdown(data) : reportJson(data)
}

/** Keeps both forms of the report of an ended round among the job's artifacts. */
export async function writeReport(deps: EngineDeps, jobNo: number): Promise<void> {
  const job = await deps.store.jobs.getByNo(jobNo)
  if (job === null) return
  for (const format of ['md', 'json'] as const) {
    const text = await reportOf(deps, job, format)
    await deps.blob.put(`jobs/${job.id}/report-${job.round}.${format}`, Buffer.from(text))
  }
}
