import { gatherReport } from '../delivery/report.ts'
import type { ReportData } from '../delivery/report-data.ts'
import { reportJson } from '../delivery/report-json.ts'
import { reportMarkdown } from '../delivery/report-markdown.ts'
import type { Job } from '../domain/job.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'

/** The completion report of a job as it stands. */
export async function reportOf(deps: EngineDeps, job: Job, format: 'md' | 'json'): Promise<string> {
  const data = await gather(deps, job)
  return format === 'md' ? reportMarkdown(data) : reportJson(data)
}

/** Keeps both forms of the report of an ended round among the job's artifacts. */
export async function writeReport(deps: EngineDeps, jobNo: number): Promise<void> {
  const job = await deps.store.jobs.getByNo(jobNo)
  if (job === null) return
  const data = await gather(deps, job)
  const name = `jobs/${job.id}/report-${job.round}`
  await deps.blob.put(`${name}.md`, Buffer.from(reportMarkdown(data)))
  await deps.blob.put(`${name}.json`, Buffer.from(reportJson(data)))
}

async function gather(deps: EngineDeps, job: Job): Promise<ReportData> {
  const { store, runtime } = deps
  return gatherReport({ store, jobNo: job.jobNo, spec: await specOf(deps, job), nowMs: runtime.now() })
}
