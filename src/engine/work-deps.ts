import type { JobDeps } from '../job/job-deps.ts'
import { createDelivery } from '../notify/delivery.ts'
import { createRollCall } from '../worker/roll-call.ts'
import { settleChunk } from '../worker/settle-chunk.ts'
import { removeEarlierExports } from './earlier-exports.ts'
import type { EngineDeps } from './engine-deps.ts'
import { batchDeps, type WorkDeps } from './enter-fleet.ts'
import { readRows, specOf } from './job-parts.ts'
import { writeReport } from './report.ts'
import { writeConfigured } from './results.ts'
import { submissionOf } from './submission.ts'
import { takeUp } from './take-up.ts'

/** What all work is done with, over the adapters of the engine. */
export function workDeps(deps: EngineDeps): WorkDeps {
  const { store, runtime, presence } = deps
  const rollCall = createRollCall({ fleet: store.fleet, runtime, events: deps.events })
  const jobDeps: JobDeps = {
    store,
    queue: deps.queue,
    blob: deps.blob,
    runtime,
    events: deps.events,
    isGone: presence === null ? rollCall.isGone : (workerId) => presence.isGone(workerId),
    specOf: (job) => specOf(deps, job),
    readRows: async (job, chunk) => readRows(deps, job, await specOf(deps, job), chunk),
    writeResults: (job, spec, signal) => writeConfigured(deps, job, spec, signal),
    keepReport: async (job) => {
      await writeReport(deps, job.jobNo)
      await removeEarlierExports(deps.blob, job)
    },
    plannedNano: async (job) => (await submissionOf(deps, job)).plannedNano ?? null,
    settleChunk: (ref) =>
      settleChunk(
        {
          store,
          runtime,
          batch: batchDeps(deps),
          takeUp: (job) => takeUp(deps, job),
          readRows: (chunk, run) => readRows(deps, run.job, run.spec, chunk),
        },
        ref,
      ),
  }
  return { deps, jobDeps, rollCall, delivery: createDelivery({ outbox: store.outbox, ...deps }) }
}
