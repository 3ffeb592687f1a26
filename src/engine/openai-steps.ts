import type { BatchError } from '../chat/batch-check.ts'
import { isTerminal, isUnbegun, type Job } from '../domain/job.ts'
import { SluiceError } from '../errors.ts'
import { cancel } from '../job/control.ts'
import { failIntake } from '../job/fail-intake.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { tellBatchEnd } from '../job/tell-batch-end.ts'
import type { OpenAiBatch, OpenAiBatchChange } from '../store/role/openai-batches.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { FileDesk } from './file-desk.ts'
import { batchKind, checkBatchFile } from './openai-check.ts'
import { type BatchFileIds, writeBatchFiles } from './openai-files.ts'
import { beginBatchJob } from './openai-job.ts'
import { endOf } from './openai-status.ts'

/** What the steps of a batch are done with, of its tenant. */
export interface BatchSteps {
  readonly deps: EngineDeps
  readonly jobDeps: JobDeps
  readonly files: FileDesk
}

/**
 * Does the next thing that a batch is due for: its check, its end by time, its files. Each may be done again by whoever comes after a crash, and leads to the
 * same. Rejects with the signal's reason when that aborts.
 */
export async function stepBatch(steps: BatchSteps, batch: OpenAiBatch, signal: AbortSignal): Promise<void> {
  const { store, runtime } = steps.deps
  const isLate = batch.expiresAtMs < runtime.now()
  const job = batch.jobNo === null ? null : await store.jobs.getByNo(batch.jobNo)
  if (job !== null && isTerminal(job.state)) return finish(steps, batch, job, signal)
  if (job !== null && isLate) return expire(steps, batch, job)
  if (job === null && (isLate || batch.cancellingAtMs !== null)) return endUnchecked(steps, batch)
  if (job === null || isUnbegun(job)) return check(steps, batch, job, signal)
}

/** Cancels the job of a batch, where that can still be. */
export async function cancelUnlessOver(jobDeps: JobDeps, job: Job): Promise<void> {
  if (isTerminal(job.state)) return
  try {
    await cancel(jobDeps, job)
  } catch (error) {
    // It has come to its end meanwhile: its answers are all there.
    if (!(error instanceof SluiceError && error.code === 'job_state')) throw error
  }
}

async function check(steps: BatchSteps, batch: OpenAiBatch, job: Job | null, signal: AbortSignal): Promise<void> {
  const { deps, jobDeps, files } = steps
  const asked = { inputFileId: batch.inputFileId, kind: batchKind(batch), hasJob: job !== null }
  const errors = await asErrors(async () => {
    const found = await checkBatchFile(files, asked, signal)
    if (found.length === 0 && job !== null) await beginBatchJob(deps, jobDeps, job)
    return found
  })
  if (job === null) return fail(steps, batch, errors, {})
  if (errors.length > 0) await failJob(steps, batch, job, errors)
}

/** Ends a job that cannot begin; its batch is failed when that is seen. */
async function failJob(
  { deps, jobDeps }: BatchSteps,
  batch: OpenAiBatch,
  job: Job,
  errors: readonly BatchError[],
): Promise<void> {
  const [first] = errors
  const detail = first?.line == null ? (first?.message ?? null) : `line ${first.line}: ${first.message}`
  // Kept first: when the job has failed, they say why.
  await deps.store.openAiBatches.set(batch.tenantNo, batch.id, { errors: JSON.stringify(errors) })
  await failIntake(jobDeps, job, detail)
}

/** What `work` says is wrong; what it throws that a caller can meet is one error more. */
async function asErrors(work: () => Promise<readonly BatchError[]>): Promise<readonly BatchError[]> {
  try {
    return await work()
  } catch (error) {
    const isTheirs = error instanceof SluiceError && error.code !== 'storage' && error.code !== 'internal'
    if (!isTheirs) throw error
    return [{ code: error.code, line: null, message: error.message, param: null }]
  }
}

/** A batch that can have no job, and whose file need not be checked any more. */
async function endUnchecked(steps: BatchSteps, batch: OpenAiBatch): Promise<void> {
  const atMs = steps.deps.runtime.now()
  const expiredAtMs = batch.cancellingAtMs === null ? atMs : null
  await end(steps, { ...batch, expiredAtMs }, atMs, { expiredAtMs })
}

/** The rest of the batch is given up; what is answered will be delivered. */
async function expire({ deps, jobDeps }: BatchSteps, batch: OpenAiBatch, job: Job): Promise<void> {
  await cancelUnlessOver(jobDeps, job)
  await deps.store.openAiBatches.set(batch.tenantNo, batch.id, { expiredAtMs: deps.runtime.now() })
}

async function finish(steps: BatchSteps, batch: OpenAiBatch, job: Job, signal: AbortSignal): Promise<void> {
  const { deps, files } = steps
  const ids = await fileIds(deps, batch, job)
  const isCancelled = job.state === 'cancelled'
  // A wish that came too late: everything was answered, and is delivered as such.
  const expiredAtMs = isCancelled ? batch.expiredAtMs : null
  const cancellingAtMs = isCancelled && expiredAtMs === null ? (batch.cancellingAtMs ?? job.endedAtMs) : null
  const ended = { ...batch, expiredAtMs, cancellingAtMs }
  await writeBatchFiles(deps, files, ended, job, ids, signal)
  if (job.state === 'failed') return fail(steps, batch, errorsOf(batch, job), ids)
  await end(steps, ended, deps.runtime.now(), { ...ids, expiredAtMs, cancellingAtMs })
}

/** Why a batch failed: what its check found, else what its job says. */
function errorsOf({ errors }: OpenAiBatch, { reason, detail }: Job): readonly BatchError[] {
  if (errors !== null) return JSON.parse(errors) as readonly BatchError[]
  return [{ code: reason ?? 'error', line: null, message: detail ?? 'The job of the batch failed.', param: null }]
}

/** The ids of the files, minted once and written down before the files are: whoever comes after a crash goes on with the same. */
async function fileIds({ store, runtime }: EngineDeps, batch: OpenAiBatch, job: Job): Promise<BatchFileIds> {
  const { succeeded } = job.counters
  const mint = (known: string | null, isNeeded: boolean) => (isNeeded ? (known ?? `file_${runtime.uuid()}`) : null)
  const ids = {
    outputFileId: mint(batch.outputFileId, succeeded > 0),
    errorFileId: mint(batch.errorFileId, job.input !== null && job.rowsTotal > succeeded),
  }
  await store.openAiBatches.set(batch.tenantNo, batch.id, ids)
  return ids
}

async function fail(
  { deps }: BatchSteps,
  batch: OpenAiBatch,
  errors: readonly BatchError[],
  change: Partial<OpenAiBatchChange>,
): Promise<void> {
  const atMs = deps.runtime.now()
  await tellBatchEnd(deps, batch, { status: 'failed', atMs })
  const failed = { ...change, errors: JSON.stringify(errors), failedAtMs: atMs }
  await deps.store.openAiBatches.set(batch.tenantNo, batch.id, failed)
}

async function end(
  { deps }: BatchSteps,
  batch: OpenAiBatch,
  atMs: number,
  change: Partial<OpenAiBatchChange>,
): Promise<void> {
  await tellBatchEnd(deps, batch, { status: endOf(batch), atMs })
  await deps.store.openAiBatches.set(batch.tenantNo, batch.id, { ...change, filesAtMs: atMs })
}
