import type { Job } from '../domain/job.ts'
import type { SubmitRequest } from '../engine.ts'
import { type ErrorCode, SluiceError } from '../errors.ts'
import { removeIntakeFiles } from '../intake/intake-files.ts'
import { runIntake } from '../intake/run-intake.ts'
import { enqueueWork } from '../job/enqueue.ts'
import { failIntake } from '../job/fail-intake.ts'
import type { JobDeps } from '../job/job-deps.ts'
import type { EngineDeps } from './engine-deps.ts'
import { specOf } from './job-parts.ts'
import { submissionOf } from './submission.ts'
import { uploadedFiles } from './uploaded-files.ts'

/**
 * Reads the job's input into its snapshot and queues the job; an intake that died is continued where its last segment ended. Input that cannot
 * be used ends the job as `failed` (`intake`) and the error is thrown. Aborting leaves the job as it is, to be continued.
 */
export async function bringIn(
  deps: EngineDeps,
  jobDeps: JobDeps,
  job: Job,
  options: { readonly signal: AbortSignal; readonly onIntake?: SubmitRequest['onIntake'] },
): Promise<void> {
  const { store, runtime } = deps
  const spec = await specOf(deps, job)
  const submission = await submissionOf(deps, job)
  try {
    const done = await runIntake({
      spec,
      baseDir: submission.baseDir,
      env: deps.env,
      files: await uploadedFiles(deps, job, submission),
      rowsBytes: submission.unpackedBytes,
      selection: submission.selection,
      job,
      blob: deps.blob,
      chunks: store.chunks,
      runtime,
      signal: options.signal,
      ...(options.onIntake && { onProgress: options.onIntake }),
    })
    refuseClash(spec.output.columns, done.columns)
    await store.write(async (tx) => {
      await store.chunks.closeManifest(tx, job.jobNo, done.input, done.inputHash)
      const changed = await store.jobs.change(tx, job.jobNo, ['created'], { to: 'queued', atMs: runtime.now() })
      if (changed) await enqueueWork(jobDeps, tx, job)
    })
    await removeIntakeFiles(deps.blob, job.id)
  } catch (error) {
    const isTheInput = error instanceof SluiceError && !NOT_THE_INPUT.has(error.code)
    if (isTheInput && !options.signal.aborted) await failIntake(jobDeps, job, error.message)
    throw error
  }
}

/** A JSON input may show a column only when all of it is read: too late for `check`, and still before anything is spent. */
function refuseClash(outputColumns: readonly string[], inputColumns: readonly string[]): void {
  const clash = outputColumns.find((name) => inputColumns.includes(name))
  if (clash === undefined) return
  throw new SluiceError('spec_invalid', `the output field ${JSON.stringify(clash)} is named like an input column`, {
    hint: `Rename the output field, to ${JSON.stringify(`${clash}_label`)} for example.`,
  })
}

/** What says nothing against the input: the next process may fare better, or another one reads it already. */
const NOT_THE_INPUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['storage', 'job_state', 'internal'])
