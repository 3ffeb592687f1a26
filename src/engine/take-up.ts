import type { Chunk } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { Row } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { readChunk } from '../intake/read-chunk.ts'
import { answerScope } from '../reuse/answer-scope.ts'
import { createRowProgram } from '../row/program.ts'
import { specFromCanonical } from '../spec/canonical.ts'
import type { JobRun, TargetRun } from '../worker/job-run.ts'
import type { EngineDeps } from './engine-deps.ts'

/** The spec version that a job runs with now, as it was submitted. */
export async function specOf(deps: Pick<EngineDeps, 'store'>, job: Job): Promise<Spec> {
  const canonical = await deps.store.specs.get(job.tenantNo, job.specHash)
  if (canonical === null) throw new SluiceError('internal', `spec ${job.specHash} of ${job.id} is not in the store`)
  return specFromCanonical(canonical)
}

/** Names of the input's columns, as intake found them. */
export function columnsOf(job: Job): readonly string[] {
  return job.input?.columns ?? []
}

/** Reads a chunk's rows back from the snapshot. */
export function readRows(deps: Pick<EngineDeps, 'blob'>, job: Job, spec: Spec, chunk: Chunk): Promise<readonly Row[]> {
  const columns = columnsOf(job)
  // A job that ended before its input was read to the end knows no columns.
  const key = spec.input.key === null ? -1 : columns.indexOf(spec.input.key)
  return readChunk(deps.blob, chunk, columns, key < 0 ? null : key)
}

/** The models of a spec, the spec's own at -1. Throws SluiceError `credentials_missing` when a key is not set. */
export function openTargets(
  deps: Pick<EngineDeps, 'models'>,
  spec: Spec,
): ReadonlyMap<number, Omit<TargetRun, 'priceNo'>> {
  const { models } = deps
  const all = [{ target: spec.model.target, price: spec.model.price }, ...spec.model.fallback]
  return new Map(
    all.map(({ target, price }, index) => {
      models.open(target)
      const [account, cachesFrom] = [models.account(target), models.cachesFrom(target)]
      return [index - 1, { modelId: target.id, account, cachesFrom, price: models.price(target, price) }]
    }),
  )
}

/** The same, with the prices written down that their attempts will name. */
async function pricedTargets(deps: EngineDeps, spec: Spec): Promise<ReadonlyMap<number, TargetRun>> {
  const targets = new Map<number, TargetRun>()
  for (const [index, target] of openTargets(deps, spec)) {
    const priceNo = target.price === null ? null : await deps.store.costs.priceNo(target.price)
    targets.set(index, { ...target, priceNo })
  }
  return targets
}

/** Takes a job up for work, in its current round. */
export async function takeUp(deps: EngineDeps, job: Job): Promise<JobRun> {
  const spec = await specOf(deps, job)
  const columns = columnsOf(job)
  const progress = await deps.store.jobs.progress(job.jobNo)
  const round = await deps.store.jobs.round(job.jobNo, job.round)
  return {
    job,
    roundBeganMs: round?.atMs ?? job.createdAtMs,
    spec,
    settings: job.settings,
    dayNano: (await deps.store.jobs.controls([job.jobNo]))[0]?.dayNano ?? null,
    columns,
    program: createRowProgram(spec, columns),
    targets: await pricedTargets(deps, spec),
    answerScope: answerScope(spec.execution.cache, job.specName, job.jobNo),
    fallbackRows: progress.counters.fallback,
    ended: { ok: 0, failed: 0 },
    stop: null,
  }
}
