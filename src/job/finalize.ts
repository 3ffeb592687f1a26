import { removeRequests, removeSpentResults } from '../batch/batch-files.ts'
import { measureGates } from '../domain/gates.ts'
import { isTrial } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { changeAndTell } from './change-and-tell.ts'
import { admitWaiting } from './control.ts'
import type { JobDeps } from './job-deps.ts'
import { tellEnd } from './tell-end.ts'

/**
 * Ends a round whose rows all have outcomes: writes the results where the spec says, measures the gates, and makes the job `completed` or
 * `failed`. What a job has sent and got by batch goes when it is completed without a row that failed, and stays else. Called at least once per
 * round; only the first to get through changes anything. Once `signal` aborts it rejects, with nothing decided.
 */
export async function finalize(deps: JobDeps, jobNo: number, round: number, signal: AbortSignal): Promise<void> {
  const { store, runtime } = deps
  const progress = await store.jobs.progress(jobNo)
  const { job } = progress
  if (job.state !== 'finalizing' || job.round !== round) return
  const spec = await deps.specOf(job)
  // What a spec asks of the whole says nothing about the few rows of a trial, and its results file is not theirs.
  const trial = isTrial(job)
  const missed = trial ? [] : measureGates(spec.gates, progress.counters).filter((gate) => !gate.passed)
  let broken: string | null = null
  if (spec.write !== null && !trial) {
    try {
      await deps.writeResults(job, spec, signal)
    } catch (error) {
      if (signal.aborted || !(error instanceof SluiceError)) throw error
      broken = `the results could not be written: ${error.message}`
    }
  }
  signal.throwIfAborted()
  const reason = broken !== null ? 'error' : missed.length > 0 ? 'gate' : null
  const detail = broken ?? (missed.map((gate) => `${gate.gate}: ${gate.message}`).join('; ') || null)
  const { failed, cancelled } = progress.counters
  const isClean = reason === null && failed + cancelled === 0
  // Before the job is over: whoever is killed meanwhile is called again.
  if (isClean) await removeRequests(deps.blob, job.id)
  const changed = await store.write(async (tx) => {
    await store.budgets.clear(tx, jobNo)
    return changeAndTell(deps, tx, job, ['finalizing'], {
      to: reason === null ? 'completed' : 'failed',
      reason,
      detail,
      atMs: runtime.now(),
    })
  })
  if (!changed) return
  await tellEnd(deps, jobNo)
  await admitWaiting(deps, job.tenantNo)
  await deps.keepReport(job)
  // Whose results they are besides is known for sure only now. What a crash leaves here, a batcher finds.
  if (isClean) await removeSpentResults({ blob: deps.blob, batches: store.batches }, { jobNo })
}
