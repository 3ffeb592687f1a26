import { isTerminal, type Job } from '../domain/job.ts'
import type { LimitFigure } from '../domain/limit-text.ts'
import type { Plan, PlanBinding } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'
import type { JobStatus, Planned, PlanRequest } from '../engine.ts'
import { fingerprint } from '../intake/fingerprint.ts'
import { openSource } from '../intake/open-source.ts'
import { GIVEN_LIMITS } from '../limit/demand.ts'
import { priceHash } from '../plan/binding.ts'
import { budgetFits } from '../plan/budget-fit.ts'
import { checkSpec } from '../plan/check.ts'
import { estimateTime } from '../plan/duration.ts'
import { chooseEvidence, estimateUse } from '../plan/estimate.ts'
import { planNotes } from '../plan/plan-notes.ts'
import type { Tally } from '../plan/row-tally.ts'
import { withoutPilot } from '../plan/without-pilot.ts'
import { loaded, readSpec } from '../spec/load.ts'
import type { LoadedSpec } from '../spec/reading.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import { historyOf, latestEnded, pacesOf, pastJobs, pilotEvidence } from './plan-history.ts'
import { type GoneOver, goOver } from './plan-rows.ts'
import { priceOnLane } from './take-up.ts'

/** What a plan asks of the engine around it: to run its pilot. */
export interface PilotRunner {
  /** Makes a pilot job of the rows with these ids, and works on it until it stands still. */
  run(request: PlanRequest, rowIds: readonly string[]): Promise<JobStatus>
}

/** Finds out what a run would do, cost and take (see Engine.plan). */
export async function makePlan(deps: EngineDeps, pilots: PilotRunner, request: PlanRequest): Promise<Planned> {
  const overrides = { ...request.overrides, cwd: deps.cwd }
  const reading = await readSpec(request.specPath, { env: deps.env, cwd: deps.cwd, overrides })
  const findings = await checkSpec(reading, checkTools(deps))
  if (findings.some(({ severity }) => severity === 'error')) return { findings, plan: null, pilot: null }
  const spec = loaded(reading)
  const signal = request.signal ?? new AbortController().signal
  const past = await pastJobs(deps, spec.spec.name)
  const binding = await bindingOf(deps, spec, signal)
  const gone = await goOver({
    deps,
    spec: spec.spec,
    baseDir: spec.baseDir,
    signal,
    draw: request.pilot?.rows ?? 0,
    earlier: request.explain === true ? latestEnded(past) : null,
    onProgress: (progress) => request.onIntake?.(progress),
  })
  const pilot =
    request.pilot === undefined || gone.drawn.length === 0
      ? null
      : await pilots.run(
          request,
          gone.drawn.map(({ id }) => id),
        )
  if (pilot !== null && !isTerminal(pilot.job.state)) return { findings, plan: null, pilot }
  const price = priceOnLane(deps, spec.spec)
  const tally = pilot === null ? gone.tally : await afterPilot(deps, spec.spec, gone, pilot.job)
  const candidates = [
    ...(pilot === null ? [] : [await pilotEvidence(deps, { job: pilot.job, spec: spec.spec }, price)]),
    ...(await historyOf(deps, past, spec.spec, price)),
  ]
  const evidence = chooseEvidence(candidates)
  const use = estimateUse(tally, evidence, price)
  const plan: Plan = {
    id: `plan_${deps.runtime.uuid()}`,
    madeAtMs: deps.runtime.now(),
    binding,
    spec: summaryOf(spec.spec),
    priceSource: price?.source ?? null,
    rows: tally.rows,
    use,
    time: timeOf(deps, spec.spec, { tally, past, evidence, use }),
    budget: budgetFits(spec.spec.budget, use),
    explanation: request.explain === true ? (gone.explainer?.finish() ?? { job: null, reasons: [] }) : null,
    notes: planNotes(spec.spec, tally.rows, use),
  }
  return { findings, plan, pilot }
}

/** How long the rows take; how long a batch takes nobody knows before. */
function timeOf(deps: EngineDeps, spec: Spec, { tally, past, evidence, use }: Found): Plan['time'] {
  if (spec.execution.lane === 'batch') return null
  return estimateTime({
    rows: tally.rows.toRun,
    concurrency: inFlight(spec, tally),
    paces: pacesOf(past, spec),
    observations: evidence.observations,
    pushBacks: evidence.pushBacks,
    use,
    limits: limitsOf(deps, spec),
  })
}

interface Found {
  readonly tally: Tally
  readonly past: Awaited<ReturnType<typeof pastJobs>>
  readonly evidence: ReturnType<typeof chooseEvidence>
  readonly use: Plan['use']
}

/** What a plan of this spec would be bound to, now. Reads all of the input. */
export async function bindingOf(deps: EngineDeps, spec: LoadedSpec, signal: AbortSignal): Promise<PlanBinding> {
  const { model, input } = spec.spec
  const source = await openSource({ input, baseDir: spec.baseDir, env: deps.env, spool: null, signal })
  return {
    specHash: spec.hash,
    inputHash: await fingerprint(source, signal),
    priceHash: priceHash([model, ...model.fallback].map(({ target, price }) => deps.models.price(target, price))),
  }
}

/** The rows to run once the pilot's answers are kept; where answers are not reused, they are asked once more. */
async function afterPilot(deps: EngineDeps, spec: Spec, gone: GoneOver, job: Job): Promise<Tally> {
  const isReused = spec.execution.cache === 'spec' || spec.execution.cache === 'tenant'
  if (!isReused) return gone.tally
  const outcomes = await deps.store.rows.list(job.jobNo, 0, gone.drawn.length, ['succeeded'])
  const answered = new Set(outcomes.map(({ requestHash }) => requestHash))
  return withoutPilot(
    gone.tally,
    gone.drawn.filter(({ requestHash }) => answered.has(requestHash)),
  )
}

/** Rows in flight at a time: as many as the spec allows, and as the chunks that are held have. */
function inFlight({ execution }: Spec, { rows }: Tally): number {
  const chunkRows = execution.chunkRows ?? Math.max(10, Math.min(200, Math.floor(rows.total / 20)))
  return Math.min(execution.concurrency.max, execution.chunksInFlight * chunkRows)
}

/**
 * Limits of the account: what the spec gives, and what the provider has said, to a pilot above all. What was guessed from refusals is no figure
 * to plan with.
 */
function limitsOf(deps: EngineDeps, { execution, model }: Spec): readonly LimitFigure[] {
  const given = (Object.keys(GIVEN_LIMITS) as (keyof typeof GIVEN_LIMITS)[]).flatMap((name) => {
    const limit = execution.limits[name]
    return limit === null ? [] : [{ ...GIVEN_LIMITS[name], limit }]
  })
  const { limits } = deps.governor.state(deps.models.account(model.target))
  return [...given, ...limits.filter(({ source }) => source === 'said')]
}

function summaryOf({ name, model }: Spec): Plan['spec'] {
  return {
    name,
    model: model.target.id,
    params: model.target.params,
    fallbacks: model.fallback.map(({ target }) => target.id),
  }
}
