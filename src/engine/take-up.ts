import type { Chunk } from '../domain/chunk.ts'
import { isTrial, type Job } from '../domain/job.ts'
import type { Price } from '../domain/money.ts'
import type { Row } from '../domain/row.ts'
import type { BatchSpec, Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { readChunk } from '../intake/read-chunk.ts'
import type { Models } from '../provider/model.ts'
import { answerScope } from '../reuse/answer-scope.ts'
import { createRowProgram } from '../row/program.ts'
import { specFromCanonical } from '../spec/canonical.ts'
import type { JobRun, Rate, TargetRun } from '../worker/job-run.ts'
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

/** A model of a spec, and what it charges. */
type OpenTarget = Omit<TargetRun, 'priceNo' | 'batch'> & {
  /** What a request costs that goes by batch; `null`: it has no batch API. */
  readonly batch: Pick<Rate, 'price'> | null
}

/** The models of a spec, the spec's own at -1. Throws SluiceError `credentials_missing` when a key is not set. */
export function openTargets(deps: Pick<EngineDeps, 'models'>, spec: Spec): ReadonlyMap<number, OpenTarget> {
  const { models } = deps
  const all = [{ target: spec.model.target, price: spec.model.price }, ...spec.model.fallback]
  return new Map(
    all.map(({ target, price }, index) => {
      models.open(target)
      const [account, cachesFrom] = [models.account(target), models.cachesFrom(target)]
      const live = models.price(target, price)
      const batch = batchRate(live, models.batches(target))
      return [index - 1, { modelId: target.id, account, cachesFrom, price: live, batch }]
    }),
  )
}

function batchRate(live: Price | null, batches: ReturnType<Models['batches']>): OpenTarget['batch'] {
  if (batches === null) return null
  return { price: live === null ? null : { ...live, lanePermille: batches.priceLanePermille } }
}

/** What the spec's own model charges on the spec's lane; `null`: no price is known. */
export function priceOnLane({ models }: Pick<EngineDeps, 'models'>, { model, execution }: Spec): Price | null {
  const live = models.price(model.target, model.price)
  if (execution.lane === 'live') return live
  return batchRate(live, models.batches(model.target))?.price ?? live
}

/** The models of a spec, with the prices written down that their attempts will name. */
async function pricedTargets(deps: EngineDeps, spec: Spec, byBatch: boolean): Promise<ReadonlyMap<number, TargetRun>> {
  const numbered = async ({ price }: Pick<Rate, 'price'>): Promise<Rate> => ({
    price,
    priceNo: price === null ? null : await deps.store.costs.priceNo(price),
  })
  const targets = new Map<number, TargetRun>()
  for (const [index, target] of openTargets(deps, spec)) {
    const batch = byBatch && target.batch !== null ? await numbered(target.batch) : null
    targets.set(index, { ...target, ...(await numbered(target)), batch })
  }
  return targets
}

/** How a job goes by batch; `null`: live. A trial is to be seen at once. */
export function batchPolicy(job: Job, spec: Spec): BatchSpec | null {
  return isTrial(job) ? null : (spec.execution.batch ?? null)
}

/** Takes a job up for work, in its current round. */
export async function takeUp(deps: EngineDeps, job: Job): Promise<JobRun> {
  const spec = await specOf(deps, job)
  const columns = columnsOf(job)
  const progress = await deps.store.jobs.progress(job.jobNo)
  const round = await deps.store.jobs.round(job.jobNo, job.round)
  const batch = batchPolicy(job, spec)
  return {
    job,
    roundBeganMs: round?.atMs ?? job.createdAtMs,
    spec,
    settings: job.settings,
    dayNano: (await deps.store.jobs.controls([job.jobNo]))[0]?.dayNano ?? null,
    columns,
    program: createRowProgram(spec, columns),
    targets: await pricedTargets(deps, spec, batch !== null),
    batch,
    answerScope: answerScope(spec.execution.cache, job.specName, job.jobNo),
    fallbackRows: progress.counters.fallback,
    ended: { ok: 0, failed: 0 },
    stop: null,
  }
}
