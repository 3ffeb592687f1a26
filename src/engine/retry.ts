import type { Job } from '../domain/job.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { RetryRequest } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { JobDeps } from '../job/job-deps.ts'
import { retry } from '../job/retry.ts'
import { canonicalJson, specHash } from '../spec/canonical.ts'
import { loadSpec } from '../spec/load.ts'
import { withKnownModel, withModel } from '../spec/resolve-model.ts'
import { removeEarlierExports } from './earlier-exports.ts'
import type { EngineDeps } from './engine-deps.ts'
import { columnsOf, specOf } from './job-parts.ts'
import { assertRowsKept } from './kept-rows.ts'
import { rowProgramOf } from './row-program.ts'
import { assertKeepable } from './settings.ts'
import { submissionOf } from './submission.ts'
import { openTargets } from './take-up.ts'

/**
 * Opens a new round over the rows that match (see Engine.retry). The spec is the one the job ran with, or the file as it is now; `model` replaces
 * its model. Either is compiled against the snapshot's columns first: the input itself is never read again.
 */
export async function openRetry(deps: EngineDeps, jobDeps: JobDeps, job: Job, request: RetryRequest): Promise<number> {
  assertRowsKept(job)
  const specHash = await specForRetry(deps, job, request)
  const chunkNos = request.chunks
  const selection = {
    ...(request.causes && { causes: request.causes }),
    ...(chunkNos && { chunkNos }),
    ...(request.rows && { rowIds: request.rows }),
  }
  const rows = await retry(jobDeps, job, selection, specHash)
  if (rows > 0) await removeEarlierExports(deps.blob, { id: job.id, round: job.round + 1 }).catch(unlessBroken)
  return rows
}

/** The round is open: a storage that does not answer now is asked again when it ends. */
function unlessBroken(error: unknown): void {
  if (!(error instanceof StorageFailure)) throw error
}

async function specForRetry(deps: EngineDeps, job: Job, request: RetryRequest): Promise<string> {
  const now = deps.runtime.now()
  if (request.spec === 'current') {
    const submission = await submissionOf(deps, job)
    const path = request.specPath ?? submission.specPath
    const overrides = request.model === undefined ? {} : { model: request.model }
    const loaded = await loadSpec(path, { env: deps.env, cwd: deps.cwd, overrides: { ...overrides, cwd: deps.cwd } })
    if (loaded.spec.name !== job.specName) {
      throw new SluiceError(
        'usage',
        `${path} is the spec ${JSON.stringify(loaded.spec.name)}, the job ran ${JSON.stringify(job.specName)}`,
      )
    }
    rowProgramOf(loaded.spec, columnsOf(job))
    openTargets(deps, loaded.spec)
    assertKeepable(deps, loaded.spec, job.settings)
    await deps.store.specs.put(job.tenantNo, loaded.hash, loaded.spec.name, loaded.canonicalJson, now)
    return loaded.hash
  }
  const pinned = await specOf(deps, job)
  if (request.model === undefined && request.target === undefined) {
    openTargets(deps, pinned)
    return job.specHash
  }
  const changed =
    request.target === undefined ? withModel(pinned, request.model ?? '') : withKnownModel(pinned, request.target)
  openTargets(deps, changed)
  assertKeepable(deps, changed, job.settings)
  const canonical = canonicalJson(changed)
  const hash = specHash(canonical)
  await deps.store.specs.put(job.tenantNo, hash, changed.name, canonical, now)
  return hash
}
