import { isTerminal, type Job } from '../domain/job.ts'
import type { Spec } from '../domain/spec.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { JobStatus, LiveStatus, WorkOptions } from '../engine.ts'
import { wantsMarks } from '../job/tell-marks.ts'
import { flexAccount } from '../limit/flex-account.ts'
import { serveDuties } from '../worker/duties.ts'
import type { Worker } from '../worker/worker.ts'
import { batchDuty } from './batch-duty.ts'
import type { EngineDeps } from './engine-deps.ts'
import { enterFleet, type FleetWorker, type WorkDeps } from './enter-fleet.ts'
import { bringIn } from './intake.ts'
import { specOf } from './job-parts.ts'
import { type Meter, startMeter } from './meter.ts'
import { noticeDuty } from './notices.ts'
import { rowsEnded, type StatusReader } from './status.ts'
import { batchPolicy, openTargets } from './take-up.ts'
import { watchDuty } from './watch-marks.ts'

/** How often a panel hears. */
const STATUS_MS = 250

/** Works on one job in this process until it stands still (see Engine.work). */
export async function work(parts: WorkDeps, reader: StatusReader, job: Job, options: WorkOptions): Promise<JobStatus> {
  const { deps, jobDeps } = parts
  if (isTerminal(job.state) || job.state === 'paused') return reader.read(job.jobNo)
  const spec = await specOf(deps, job)
  const accounts = new Set([...openTargets(deps, spec).values()].map((target) => target.account))
  if (job.state === 'created') await bringIn(deps, jobDeps, job, { signal: options.signal })
  const rowsAtStart = rowsEnded((await deps.store.jobs.progress(job.jobNo)).counters)
  const seat = await enterFleet(
    parts,
    {
      jobNo: job.jobNo,
      chunks: spec.execution.chunksInFlight,
      // The job's own ceiling is the governor's affair.
      concurrency: () => null,
      onWish: () => undefined,
      onBeat: () => undefined,
    },
    options.signal,
  )
  const { worker } = seat
  const meter = startMeter(deps.events, deps.runtime, job.jobNo, accounts)
  const account = [...accounts][0] as string
  const live = (status: Omit<JobStatus, 'live'>) => liveOf(deps, worker, meter, account, status, options)
  const ended = new AbortController()
  const reporting = report(deps, reader, job.jobNo, { live, rowsAtStart }, options, ended.signal)
  // Awaited below; until then its failure is nobody's, and must not end the process.
  reporting.catch(() => undefined)
  const serving = serveBeside(parts, seat, job, spec, AbortSignal.any([ended.signal, options.signal, options.abandon]))
  serving.catch(() => undefined)
  try {
    await worker.run({
      jobNo: job.jobNo,
      chunks: spec.execution.chunksInFlight,
      signal: options.signal,
      abandon: options.abandon,
    })
  } finally {
    ended.abort()
    meter.stop()
    // The end of everything waits for nobody: a role that is not laid down runs out.
    if (!options.abandon.aborted) await serving
    await seat.leave()
  }
  await reporting
  const last = await reader.read(job.jobNo, { live, rowsAtStart })
  options.onStatus?.(last)
  return last
}

/**
 * What else this process does for its job, unless another one does: of a job that goes by batch, it brings the batches to their provider and back; of one
 * of which somebody wants to hear while it runs, it looks how that stands, and sends.
 */
function serveBeside(
  parts: WorkDeps,
  { workerId }: FleetWorker,
  job: Job,
  spec: Spec,
  ended: AbortSignal,
): Promise<void> {
  const { store, runtime, events } = parts.deps
  const duties = [
    ...(batchPolicy(job, spec) === null ? [] : [batchDuty(parts, workerId)]),
    ...(wantsMarks(job, spec) ? [watchDuty(parts), noticeDuty(parts)] : []),
  ]
  return serveDuties(
    {
      fleet: store.fleet,
      runtime,
      workerId,
      onRole: () => undefined,
      onFailure: (role, error) =>
        events.emit('duty.failed', {
          role,
          jobNo: null,
          message: error instanceof Error ? error.message : String(error),
        }),
    },
    duties,
    ended,
  )
}

async function report(
  deps: EngineDeps,
  reader: StatusReader,
  jobNo: number,
  more: NonNullable<Parameters<StatusReader['read']>[1]>,
  options: WorkOptions,
  ended: AbortSignal,
): Promise<void> {
  if (options.onStatus === undefined) return
  while (!ended.aborted) {
    const status = await reader.read(jobNo, more).catch(unlessStorage)
    if (status !== null) options.onStatus(status)
    await deps.runtime.sleep(STATUS_MS, ended).catch(() => undefined)
  }
}

/** A store that fails for a moment costs a panel one look; whether the work can go on, the worker decides. */
function unlessStorage(error: unknown): null {
  if (error instanceof StorageFailure) return null
  throw error
}

function liveOf(
  deps: EngineDeps,
  worker: Worker,
  meter: Meter,
  account: string,
  status: Omit<JobStatus, 'live'>,
  options: WorkOptions,
): LiveStatus {
  const { view } = worker
  const note = meter.note()
  const rate = meter.rowsPerSecond
  const isFlex = status.job.route?.way === 'flex'
  const left = status.job.rowsTotal - status.rowsDone
  const waiting = note !== null && view.inFlight === 0
  const working = waiting ? 'waiting' : 'working'
  const stopping = view.stopping || options.signal.aborted
  return {
    phase: view.storageFailing
      ? 'storage'
      : stopping
        ? 'stopping'
        : status.job.state === 'finalizing'
          ? 'finalizing'
          : working,
    inFlight: view.inFlight,
    concurrency: deps.governor.state(isFlex ? flexAccount(account) : account).concurrency,
    rowsPerSecond: rate,
    tokensPerMinute: meter.tokensPerMinute,
    // Rows come back from batches all at once: how fast the last ones came says nothing of the next.
    etaMs: rate > 0 && left > 0 && !isInBatches(status) ? (left / rate) * 1000 : null,
    retrying: meter.retrying,
    lastCommitMs: view.lastCommitMs,
    note,
  }
}

/** Whether rows are in batches, or are to go there. */
function isInBatches({ job, batches }: Omit<JobStatus, 'live'>): boolean {
  if (batches === null) return false
  const { packed, shards } = batches
  return packed > 0 || shards.length > 0 || (job.route?.way ?? 'batch') === 'batch'
}
