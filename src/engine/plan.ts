import { isTerminal, type Job } from '../domain/job.ts'
import type { Plan, PlanBinding, PlannedRoute, PlannedTime, PlannedUse } from '../domain/plan.ts'
import type { Spec } from '../domain/spec.ts'
import type { JobStatus, Planned, PlanRequest } from '../engine.ts'
import { fingerprint } from '../intake/fingerprint.ts'
import type { FoundFile } from '../intake/input-file.ts'
import { openSource } from '../intake/open-source.ts'
import { priceHash } from '../plan/binding.ts'
import { budgetFits } from '../plan/budget-fit.ts'
import { checkSpec } from '../plan/check.ts'
import { chooseEvidence, estimateUse } from '../plan/estimate.ts'
import { BATCH_BOUND, timeOnRoute, useOnRoute } from '../plan/on-route.ts'
import { planNotes } from '../plan/plan-notes.ts'
import type { Tally } from '../plan/row-tally.ts'
import { withoutPilot } from '../plan/without-pilot.ts'
import { loaded, readSpec } from '../spec/load.ts'
import type { LoadedSpec } from '../spec/reading.ts'
import { checkTools } from './check.ts'
import type { EngineDeps } from './engine-deps.ts'
import { historyOf, latestEnded, type PastJob, pastJobs, pilotEvidence } from './plan-history.ts'
import { type GoneOver, goOver } from './plan-rows.ts'
import { liveTime, type RowEvidence } from './plan-time.ts'
import { findWay } from './route.ts'
import { priceOnLane } from './take-up.ts'
import { turnaroundsOf } from './turnarounds.ts'

/** What a plan asks of the engine around it: to run its pilot. */
export interface PilotRunner {
  /** Makes a pilot job of the rows with these ids, and works on it until it stands still. */
  run(request: PlanRequest, rowIds: readonly string[]): Promise<JobStatus>
}

/** A spec that can be run, and where its rows are. */
export interface ToPlan extends Pick<LoadedSpec, 'spec' | 'hash' | 'baseDir'> {
  /** What is read in place of what the spec names. */
  readonly files?: readonly FoundFile[] | undefined
}

/** Finds out what a run would do, cost and take (see Engine.plan). */
export async function makePlan(deps: EngineDeps, pilots: PilotRunner, request: PlanRequest): Promise<Planned> {
  const overrides = { ...request.overrides, cwd: deps.cwd }
  const reading = await readSpec(request.specPath, { env: deps.env, cwd: deps.cwd, overrides })
  const findings = await checkSpec(reading, checkTools(deps))
  if (findings.some(({ severity }) => severity === 'error')) return { findings, plan: null, pilot: null }
  const runPilot = (rowIds: readonly string[]) => pilots.run(request, rowIds)
  return { findings, ...(await planSpec(deps, loaded(reading), request, runPilot)) }
}

/** Plans a spec in which nothing is wrong. `runPilot` makes a pilot of the rows with these ids where the request asks for one. */
export async function planSpec(
  deps: EngineDeps,
  spec: ToPlan,
  request: Pick<PlanRequest, 'explain' | 'pilot' | 'signal' | 'onIntake'>,
  runPilot: (rowIds: readonly string[]) => Promise<JobStatus>,
): Promise<Pick<Planned, 'plan' | 'pilot'>> {
  const signal = request.signal ?? new AbortController().signal
  const past = await pastJobs(deps, spec.spec.name)
  const binding = await bindingOf(deps, spec, signal)
  const gone = await goOver({
    deps,
    spec: spec.spec,
    baseDir: spec.baseDir,
    files: spec.files,
    signal,
    draw: request.pilot?.rows ?? 0,
    earlier: request.explain === true ? latestEnded(past) : null,
    onProgress: (progress) => request.onIntake?.(progress),
  })
  const asksFirst = request.pilot !== undefined && gone.drawn.length > 0
  const pilot = asksFirst ? await runPilot(gone.drawn.map(({ id }) => id)) : null
  if (pilot !== null && !isTerminal(pilot.job.state)) return { plan: null, pilot }
  return { plan: await planOf(deps, spec, { binding, gone, past, pilot, explain: request.explain === true }), pilot }
}

/** What is known of the rows, and of earlier jobs. */
interface Known {
  readonly binding: PlanBinding
  readonly gone: GoneOver
  readonly past: readonly PastJob[]
  readonly pilot: JobStatus | null
  readonly explain: boolean
}

async function planOf(deps: EngineDeps, { spec }: ToPlan, known: Known): Promise<Plan> {
  const { binding, gone, past, pilot, explain } = known
  const price = priceOnLane(deps, spec)
  const tally = pilot === null ? gone.tally : await afterPilot(deps, spec, gone, pilot.job)
  const candidates = [
    ...(pilot === null ? [] : [await pilotEvidence(deps, { job: pilot.job, spec }, price)]),
    ...(await historyOf(deps, past, spec, price)),
  ]
  const evidence = chooseEvidence(candidates)
  const expected = await expect(deps, spec, { tally, past, evidence }, estimateUse(tally, evidence, price))
  return {
    id: `plan_${deps.runtime.uuid()}`,
    madeAtMs: deps.runtime.now(),
    binding,
    spec: summaryOf(spec),
    priceSource: price?.source ?? null,
    rows: tally.rows,
    ...expected,
    budget: budgetFits(spec.budget, expected.use),
    explanation: explain ? (gone.explainer?.finish() ?? { job: null, reasons: [] }) : null,
    notes: planNotes(spec, { rows: tally.rows, ...expected }),
  }
}

/** What the rows use, and how long they take: on the lane of the spec, or, where that is `auto`, on the way that it would take now. */
async function expect(
  deps: EngineDeps,
  spec: Spec,
  found: RowEvidence,
  use: PlannedUse,
): Promise<Pick<Plan, 'use' | 'time' | 'route'>> {
  if (spec.execution.lane === 'batch') return { use, time: await batchTime(deps, spec, found), route: null }
  const time = liveTime(deps, spec, found, use)
  if (spec.execution.lane === 'live' || found.tally.rows.toRun === 0) return { use, time, route: null }
  const route = await plannedRoute(deps, spec, found)
  return { use: useOnRoute(use, route), time: timeOnRoute(time, route), route }
}

/** As long as batches of the account took before; `null`: too few have been seen, or none is needed. */
async function batchTime(deps: EngineDeps, spec: Spec, { tally }: RowEvidence): Promise<PlannedTime | null> {
  const turnarounds = tally.rows.toRun === 0 ? null : await turnaroundsOf(deps, spec.model.target)
  return turnarounds && { ms: turnarounds.ms, bound: BATCH_BOUND, basis: 'turnarounds' }
}

async function plannedRoute(deps: EngineDeps, spec: Spec, found: RowEvidence): Promise<PlannedRoute> {
  const { deadlineMs = null } = spec.execution
  const { way, why, ways } = await findWay(deps, spec, found, deadlineMs)
  return { way, why, deadlineMs, ways }
}

/** What a plan of this spec would be bound to, now. Reads all of the input. */
export async function bindingOf(deps: EngineDeps, spec: ToPlan, signal: AbortSignal): Promise<PlanBinding> {
  const { input } = spec.spec
  const source = await openSource({
    input,
    baseDir: spec.baseDir,
    env: deps.env,
    files: spec.files,
    spool: null,
    signal,
  })
  return {
    specHash: spec.hash,
    inputHash: await fingerprint(source, signal),
    priceHash: pricesNow(deps, spec.spec),
  }
}

/** The hash of the prices that a plan of this spec would be made with, now. */
export function pricesNow({ models }: Pick<EngineDeps, 'models'>, { model }: Pick<Spec, 'model'>): string {
  return priceHash([model, ...model.fallback].map(({ target, price }) => models.price(target, price)))
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

function summaryOf({ name, model, execution }: Spec): Plan['spec'] {
  return {
    name,
    model: model.target.id,
    params: model.target.params,
    fallbacks: model.fallback.map(({ target }) => target.id),
    lane: execution.lane,
  }
}
