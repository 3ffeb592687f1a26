import { createBatcher } from '../batch/batcher.ts'
import type { BatchPolicy } from '../batch/shard-policy.ts'
import { SluiceError } from '../errors.ts'
import type { Duty } from '../worker/duties.ts'
import type { WorkDeps } from './enter-fleet.ts'
import { specOf } from './job-parts.ts'
import { keepDeadlines } from './keep-deadlines.ts'
import { batchPolicy } from './take-up.ts'

const AGAIN_MS = 1_000

/** What a spec says that has nothing to say of batches: a retry may have left the lane. */
const NO_POLICY = Object.freeze({ requests: null, queueTokens: null, pollMs: 300_000 })

/** Bringing batches to their providers and back, for all jobs, and in time where they have a deadline: one process at a time does it. */
export function batchDuty({ deps, jobDeps }: WorkDeps, workerId: string): Duty {
  const { store, queue, blob, runtime, events, batchApis } = deps
  const policyOf = async (jobNo: number): Promise<BatchPolicy> => {
    const job = await store.jobs.getByNo(jobNo)
    if (job === null) throw new SluiceError('internal', `job number ${jobNo} has batches, and is not in the store`)
    const spec = await specOf(deps, job)
    const { requests, queueTokens, pollMs } = batchPolicy(job, spec) ?? NO_POLICY
    return { requests, queueTokens, pollMs, priority: job.settings.priority ?? spec.priority }
  }
  const batcher = createBatcher({
    workerId,
    runtime,
    events,
    store,
    queue,
    blob,
    apis: batchApis,
    policyOf,
    isGone: jobDeps.isGone,
  })
  return {
    role: 'batcher',
    everyMs: AGAIN_MS,
    async work(holds) {
      let serving = true
      const keeping = keepDeadlines(deps, () => serving && holds())
      // Awaited below; until then its failure is nobody's.
      keeping.catch(() => undefined)
      try {
        await batcher.serve(holds)
      } finally {
        serving = false
      }
      await keeping
    },
  }
}
