import { ENDPOINTS } from '../chat/batch-line.ts'
import { modelOf } from '../domain/allowance.ts'
import { isTerminal, NO_COUNTS } from '../domain/job.ts'
import { NO_SUMS } from '../domain/ledger.ts'
import type { StoredFile } from '../domain/stored-file.ts'
import { SluiceError } from '../errors.ts'
import type { JobDeps } from '../job/job-deps.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'
import type { EngineDeps } from './engine-deps.ts'
import type { FileDesk } from './file-desk.ts'
import { firstModel } from './openai-check.ts'
import { type BatchView, COMPLETION_WINDOW, type NewBatch, type OpenAiDesk } from './openai-desk.ts'
import { createBatchJob } from './openai-job.ts'
import { batchStatus } from './openai-status.ts'
import { cancelUnlessOver } from './openai-steps.ts'

const WINDOW_MS = 24 * 3_600_000

/** Creates the desk of the tenant that `deps` and `files` are of. */
export function createOpenAiDesk(deps: EngineDeps, jobDeps: JobDeps, files: FileDesk): OpenAiDesk {
  const { store, runtime, tenantNo } = deps
  const find = async (id: string): Promise<OpenAiBatch> => {
    const batch = await store.openAiBatches.get(tenantNo, id)
    if (batch === null) throw new SluiceError('batch_not_found', `there is no batch ${id} here`)
    return batch
  }
  const viewOf = async (batch: OpenAiBatch): Promise<BatchView> => {
    if (batch.jobNo === null)
      return { batch, status: batchStatus(batch, null), job: null, counters: NO_COUNTS, reasoningTokens: 0 }
    const { job, counters } = await store.jobs.progress(batch.jobNo)
    // Of a job that is over the sums are kept; of another they would have to be made over all of its attempts.
    const ledger = isTerminal(job.state) ? await store.attempts.ledger(job.jobNo) : NO_SUMS
    return { batch, status: batchStatus(batch, job), job, counters, reasoningTokens: ledger.reasoningTokens }
  }
  return Object.freeze({
    async create(batch) {
      const known = await store.openAiBatches.get(tenantNo, batch.id)
      if (known === null) await addBatch(deps, files, batch)
      return viewOf(known ?? (await find(batch.id)))
    },
    get: async (id) => viewOf(await find(id)),
    list: async (page) => Promise.all((await store.openAiBatches.list(tenantNo, page)).map(viewOf)),
    async cancel(id) {
      const batch = await find(id)
      const { status, job } = await viewOf(batch)
      if (batch.failedAtMs !== null || batch.filesAtMs !== null) {
        throw new SluiceError('batch_state', `the batch ${id} is ${status} and cannot be cancelled`)
      }
      if (batch.cancellingAtMs === null) {
        await store.openAiBatches.set(tenantNo, id, { cancellingAtMs: runtime.now() })
      }
      if (job !== null) await cancelUnlessOver(jobDeps, job)
      return viewOf(await find(id))
    },
  } satisfies OpenAiDesk)
}

/** Writes a batch down, with the job that it becomes when its file has passed the check. What models there are is known here, and not to every worker. */
async function addBatch(deps: EngineDeps, files: FileDesk, batch: NewBatch): Promise<void> {
  const { store, runtime, tenantNo, allowance } = deps
  const { id, inputFileId, kind, metadata, filesKeptMs, notify } = batch
  refuseUnfit(inputFileId, await store.files.get(tenantNo, inputFileId))
  const name = await firstModel(files, inputFileId)
  const model = name === null ? null : modelOf(name, allowance)
  const job = model === null ? null : await createBatchJob(deps, batch, model)
  const nowMs = runtime.now()
  await store.openAiBatches.add({
    id,
    tenantNo,
    jobNo: job?.jobNo ?? null,
    inputFileId,
    endpoint: ENDPOINTS[kind],
    completionWindow: COMPLETION_WINDOW,
    model: name,
    filesKeptMs,
    metadata: metadata === null ? null : JSON.stringify(metadata),
    notify,
    createdAtMs: nowMs,
    expiresAtMs: nowMs + WINDOW_MS,
  })
}

function refuseUnfit(id: string, file: StoredFile | null): void {
  if (file?.state === 'ready' && file.purpose === 'batch') return
  const isHere = file !== null && file.purpose !== 'input'
  const why = !isHere ? 'is not here' : file.state === 'ready' ? 'was not uploaded for a batch' : 'is not whole'
  throw new SluiceError('input_missing', `the file ${id} ${why}`)
}
