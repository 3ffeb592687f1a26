import { isTrial, type Job, type JobId, type JobState } from '../domain/job.ts'
import type { Engine } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import { cancel, pause, resume } from '../job/control.ts'
import { rebuildQueue } from '../job/rebuild.ts'
import { checkFile } from './check.ts'
import { costsOf } from './costs.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { WorkDeps } from './enter-fleet.ts'
import { fleetStatus, setWorker } from './fleet.ts'
import { deadLetterLines, failedGroups, promptViews, rowView } from './look.ts'
import { replayNotice, sendBriefly } from './notices.ts'
import { openBatches, settleBatch } from './open-batches.ts'
import { createPilotRunner } from './pilot.ts'
import { makePlan } from './plan.ts'
import { reportOf } from './report.ts'
import { exportJob, followResults } from './results.ts'
import { openRetry } from './retry.ts'
import { changeSettings } from './settings.ts'
import { createStatusReader } from './status.ts'
import { submit } from './submit.ts'
import { waitForJob, watchJob } from './watch.ts'
import { work } from './work.ts'
import { workAny } from './work-any.ts'
import { workDeps } from './work-deps.ts'

/** Jobs that are read at a time to find the newest. */
const JOBS_PAGE = 50

/** Creates the engine over the adapters it is given. */
export function createEngine(deps: EngineDeps): Engine {
  const { store, runtime, tenantNo } = deps
  const reader = createStatusReader(deps)
  const parts = workDeps(deps)
  const { jobDeps } = parts

  const find = async (id: JobId): Promise<Job> => {
    const job = await store.jobs.get(tenantNo, id)
    if (job === null) throw new SluiceError('job_not_found', `there is no job ${id} here`)
    return job
  }
  const changed = async (id: JobId, change: (job: Job) => Promise<void>): Promise<Job> => {
    await change(await find(id))
    return find(id)
  }
  const newest = async (limit: number, states?: readonly JobState[], includeTries = false) => {
    const found: Job[] = []
    for (let before: number | undefined; found.length < limit; ) {
      const page = await store.jobs.list(tenantNo, {
        limit: JOBS_PAGE,
        ...(before !== undefined && { before }),
        ...(states && { states }),
      })
      found.push(...page.filter((job) => includeTries || !isTrial(job)))
      before = page[page.length - 1]?.jobNo
      if (before === undefined) break
    }
    return found.slice(0, limit)
  }

  return Object.freeze({
    check: (specPath, overrides) => checkFile(deps, specPath, overrides ?? {}),
    plan: (request) => makePlan(deps, createPilotRunner(parts, reader), request),
    submit: (request) =>
      submit(deps, jobDeps, request).catch(async (error: unknown) => {
        await sendBriefly(parts, request.signal)
        throw error
      }),
    work: async (id, options) => telling(parts, work(parts, reader, await find(id), options), options.abandon),
    async workAny(options) {
      const any = await workAny(parts, options)
      return Object.freeze({ ...any, done: telling(parts, any.done, options.abandon) })
    },
    fleet: () => fleetStatus(deps),
    async rebuildQueue() {
      let rebuilt = 0
      for (const each of await store.tenants.list()) rebuilt += await rebuildQueue(jobDeps, each.tenantNo)
      return rebuilt
    },
    setWorker: (workerId, concurrency) => setWorker(deps, workerId, concurrency),
    resume: (id) => changed(id, (job) => resume(jobDeps, job)),
    pause: (id) =>
      telling(
        parts,
        changed(id, (job) => pause(jobDeps, job)),
      ),
    cancel: (id) =>
      telling(
        parts,
        changed(id, (job) => cancel(jobDeps, job)),
      ),
    async retry(id, request) {
      const rows = await openRetry(deps, jobDeps, await find(id), request)
      return { job: await find(id), rows }
    },
    set: (id, settings) => changed(id, (job) => changeSettings(deps, job, settings)),
    latest: async (states) => (await newest(1, states))[0] ?? null,
    async jobs({ limit, states, includeTries }) {
      const jobs = await newest(limit, states, includeTries)
      return reader.readAll(jobs.map(({ jobNo }) => jobNo))
    },
    status: async (id) => reader.read((await find(id)).jobNo),
    batches: async (id) => openBatches(deps, id === undefined ? null : await find(id)),
    settle: (batch, verdict) => settleBatch(deps, batch, verdict),
    async *watch(id, signal) {
      yield* watchJob(reader, runtime, (await find(id)).jobNo, signal)
    },
    wait: async (id, options) => waitForJob(reader, runtime, (await find(id)).jobNo, options),
    results: async (id, request) => exportJob(deps, await find(id), request),
    async *follow(id, request) {
      yield* followResults(deps, await find(id), request)
    },
    failed: async (id, cause) => failedGroups(deps, await find(id), cause),
    async *deadLetters(id, cause) {
      yield* deadLetterLines(deps, await find(id), cause ?? null)
    },
    costs: (request) => costsOf(deps, request),
    report: async (id, format) => reportOf(deps, await find(id), format),
    notices: (query) => store.outbox.list({ tenantNo, ...query }),
    replayNotice: (id, signal) => replayNotice(parts, id, signal),
    sendNotices: (signal) => parts.delivery.deliverDue(signal),
    row: async (id, row) => rowView(deps, await find(id), row),
    prompts: async (id, limit) => promptViews(deps, await find(id), limit),
    close: () => deps.close(),
  } satisfies Engine)
}

/** Does what may end a job or halt it, and then sends what is due: this process may be the last for days that can. */
async function telling<T>(parts: WorkDeps, work: Promise<T>, abandon?: AbortSignal): Promise<T> {
  try {
    return await work
  } finally {
    await sendBriefly(parts, abandon)
  }
}
