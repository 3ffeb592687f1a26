import { isTrial, type Job } from '../domain/job.ts'
import { onLane, type Price } from '../domain/money.ts'
import type { BatchSpec, Spec } from '../domain/spec.ts'
import { NO_CAPS } from '../domain/tenant.ts'
import type { Models } from '../provider/model.ts'
import { answerScope } from '../reuse/answer-scope.ts'
import type { JobRun, Rate, TargetRun } from '../worker/job-run.ts'
import type { EngineDeps } from './engine-deps.ts'
import { columnsOf, specOf } from './job-parts.ts'
import { routeOf } from './route.ts'
import { rowProgramOf } from './row-program.ts'

/** A model of a spec, and what it charges. */
type OpenTarget = Omit<TargetRun, 'priceNo' | 'batch' | 'flex'> & {
  /** What a request costs that goes by batch; `null`: it has no batch API. */
  readonly batch: Pick<Rate, 'price'> | null
  /** What a request costs that goes as flex; `null`: its provider offers no such thing. */
  readonly flex: Pick<Rate, 'price'> | null
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
      const [batch, flex] = [laneRate(live, models.batches(target)), laneRate(live, models.flex(target))]
      return [index - 1, { modelId: target.id, account, cachesFrom, price: live, batch, flex }]
    }),
  )
}

function laneRate(live: Price | null, lane: ReturnType<Models['batches']>): OpenTarget['batch'] {
  if (lane === null) return null
  return { price: onLane(live, lane.priceLanePermille) }
}

/** What the spec's own model charges on the spec's lane, live where that is to be chosen; `null`: no price is known. */
export function priceOnLane({ models }: Pick<EngineDeps, 'models'>, { model, execution }: Spec): Price | null {
  const live = models.price(model.target, model.price)
  if (execution.lane !== 'batch') return live
  return laneRate(live, models.batches(model.target))?.price ?? live
}

/** The models of a spec, with the prices written down that their attempts will name. */
async function pricedTargets(
  deps: EngineDeps,
  spec: Spec,
  uses: { readonly batch: boolean; readonly flex: boolean },
): Promise<ReadonlyMap<number, TargetRun>> {
  const numbered = async ({ price }: Pick<Rate, 'price'>): Promise<Rate> => ({
    price,
    priceNo: price === null ? null : await deps.store.costs.priceNo(price),
  })
  const targets = new Map<number, TargetRun>()
  for (const [index, target] of openTargets(deps, spec)) {
    const batch = uses.batch && target.batch !== null ? await numbered(target.batch) : null
    const flex = uses.flex && target.flex !== null ? await numbered(target.flex) : null
    targets.set(index, { ...target, ...(await numbered(target)), batch, flex })
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
  const roundBeganMs = round?.atMs ?? job.createdAtMs
  const batch = batchPolicy(job, spec)
  const isRouted = spec.execution.lane === 'auto' && !isTrial(job)
  const route = isRouted ? await routeOf(deps, job, spec, roundBeganMs) : null
  return {
    job,
    roundBeganMs,
    spec,
    settings: job.settings,
    caps: (await deps.store.jobs.controls([job.jobNo]))[0]?.caps ?? NO_CAPS,
    columns,
    program: rowProgramOf(spec, columns),
    targets: await pricedTargets(deps, spec, { batch: batch !== null, flex: isRouted }),
    batch,
    route,
    answerScope: answerScope(spec.execution.cache, job.specName, job.jobNo),
    fallbackRows: progress.counters.fallback,
    ended: { ok: 0, failed: 0 },
    stop: null,
  }
}
