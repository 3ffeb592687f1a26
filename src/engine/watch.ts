import { isTerminal, type Job } from '../domain/job.ts'
import type { JobStatus } from '../engine.ts'
import type { Runtime } from '../runtime.ts'
import type { StatusReader } from './status.ts'

const LOOK_MS = 1_000

/** Whether nothing more will happen to the job until somebody asks for it. */
export function standsStill(job: Job): boolean {
  return isTerminal(job.state) || job.state === 'paused'
}

/** The status of a job, again whenever it has changed, until it stands still. Works from any process. */
export async function* watchJob(
  reader: StatusReader,
  runtime: Runtime,
  jobNo: number,
  signal: AbortSignal,
): AsyncIterable<JobStatus> {
  let before = ''
  while (!signal.aborted) {
    const status = await reader.read(jobNo)
    const now = JSON.stringify([
      status.job.state,
      status.job.reason,
      status.counters,
      status.chunksDone,
      status.job.rowsTotal,
    ])
    if (now !== before) yield status
    before = now
    if (standsStill(status.job)) return
    await runtime.sleep(LOOK_MS, signal).catch(() => undefined)
  }
}

/** Waits until the job stands still; `null` when the time passed, or `signal` aborted, first. */
export async function waitForJob(
  reader: StatusReader,
  runtime: Runtime,
  jobNo: number,
  options: { readonly timeoutMs: number | null; readonly signal: AbortSignal },
): Promise<JobStatus | null> {
  const until = options.timeoutMs === null ? Number.POSITIVE_INFINITY : runtime.elapsed() + options.timeoutMs
  while (true) {
    const status = await reader.read(jobNo)
    if (standsStill(status.job)) return status
    const left = until - runtime.elapsed()
    if (left <= 0 || options.signal.aborted) return null
    await runtime.sleep(Math.min(LOOK_MS, left), options.signal).catch(() => undefined)
  }
}
