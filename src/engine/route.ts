import type { Job } from '../domain/job.ts'
import { onLane, type Price } from '../domain/money.ts'
import type { PlannedUse } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import type { Route } from '../domain/route.ts'
import type { Spec } from '../domain/spec.ts'
import { type Choice, type Choices, chooseWay, type WayFigures } from '../lane/choose-way.ts'
import { turnaroundRange } from '../lane/turnaround.ts'
import { chooseEvidence, estimateUse } from '../plan/estimate.ts'
import type { Observation } from '../plan/observation.ts'
import { createRowTally, type Tally } from '../plan/row-tally.ts'
import type { EngineDeps } from './engine-deps.ts'
import { columnsOf, readRows } from './job-parts.ts'
import { evenly, historyOf, pastJobs } from './plan-history.ts'
import { inFlight, liveTime, type RowEvidence } from './plan-time.ts'
import { rowProgramOf } from './row-program.ts'
import { pastTurnarounds } from './turnarounds.ts'

/** How long a batch may take to end that is called back, where the spec says nothing: OpenAI says ten minutes. */
export const RECALL_MS = 15 * 60_000

/** Chunks of a job whose requests are measured before its way is chosen. */
const CHUNKS_MEASURED = 4

/** What a request takes of which nothing is known. */
const UNKNOWN_REQUEST_MS: Range = Object.freeze({ low: 1_000, expected: 5_000, high: 20_000 })

/** How much slower than live a flex request may be; nobody says. */
const FLEX_SLOWER: Range = Object.freeze({ low: 1, expected: 4, high: 10 })

/** What a way would be chosen by, and what live requests take. */
export interface WayChoice extends Choice {
  readonly liveMsPerRow: number
}

/** Compares the ways that the rows of a spec could go, with `leftMs` to the deadline. */
export async function findWay(
  deps: EngineDeps,
  spec: Spec,
  found: RowEvidence,
  leftMs: number | null,
): Promise<WayChoice> {
  const { models } = deps
  const { target, price } = spec.model
  const { tally, evidence } = found
  const livePrice = models.price(target, price)
  const use = estimateUse(tally, evidence, livePrice)
  const live = liveFigures(deps, spec, found, use)
  const [flex, batches] = [models.flex(target), models.batches(target)]
  const choices: Choices = {
    live,
    flex: flex === null ? null : flexFigures(found, livePrice, flex.priceLanePermille, live.ms),
    batch: batches === null ? null : await batchFigures(deps, spec, found, livePrice, batches.priceLanePermille),
    leftMs,
    rows: tally.rows.toRun,
  }
  return { ...chooseWay(choices), liveMsPerRow: live.ms.high / Math.max(1, tally.rows.toRun) }
}

function liveFigures(deps: EngineDeps, spec: Spec, found: RowEvidence, use: PlannedUse) {
  const { tally } = found
  const rows = tally.rows.toRun
  const concurrency = inFlight(spec, tally)
  const known = liveTime(deps, spec, found, use)
  const unknown = times({ low: 1, expected: 1, high: 1 }, UNKNOWN_REQUEST_MS, rows / Math.max(1, concurrency))
  const isTold = known !== null && known.basis !== 'limits'
  const ms = isTold ? known.ms : slower(known?.ms ?? unknown, unknown)
  const basis = isTold ? known.bound : 'nothing was asked yet: 5 s a request are taken'
  return { costNano: use.costNano, permille: 1000, ms, basis } satisfies WayFigures
}

/** A flex request is a live one at another price: its provider's cache of prompts counts. */
function flexFigures(found: RowEvidence, livePrice: Price | null, permille: number, liveMs: Range) {
  const { costNano } = useOnLane(found, livePrice, permille, (row) => row.costNano)
  const basis = 'flex is slower than live, nobody says by how much'
  return { costNano, permille, ms: times(liveMs, FLEX_SLOWER), basis } satisfies WayFigures
}

async function batchFigures(
  deps: EngineDeps,
  { model, execution }: Spec,
  found: RowEvidence,
  livePrice: Price | null,
  permille: number,
): Promise<NonNullable<Choices['batch']>> {
  // Whether prompts are found in the cache by batch no provider promises: nothing is counted on it.
  const use = useOnLane(found, livePrice, permille, (row) => row.uncachedNano)
  const past = await pastTurnarounds(deps, model.target)
  const queue = execution.batch?.queueTokens ?? null
  const waves = queue === null ? 1 : Math.max(1, Math.ceil(use.inputTokens.expected / queue))
  const ms = turnaroundRange(past, waves)
  return {
    costNano: use.costNano,
    permille,
    ms,
    basis: ms === null ? 'a day at the most, mostly hours' : `the last ${past.length} batches of this account`,
    past,
    waves,
    recallMs: execution.batch?.recallMs ?? RECALL_MS,
  }
}

/** What the rows would use where each costs so many thousandths of `liveNano`. */
function useOnLane(
  { tally, evidence }: RowEvidence,
  livePrice: Price | null,
  permille: number,
  liveNano: (row: Observation) => number | null,
): PlannedUse {
  const observations = evidence.observations.map((row) => ({ ...row, costNano: shareOf(liveNano(row), permille) }))
  return estimateUse(tally, { ...evidence, observations }, onLane(livePrice, permille))
}

function shareOf(nano: number | null, permille: number): number | null {
  return nano === null ? null : Math.round((nano * permille) / 1000)
}

function times(a: Range, b: Range, factor = 1): Range {
  return {
    low: Math.floor(a.low * b.low * factor),
    expected: Math.round(a.expected * b.expected * factor),
    high: Math.ceil(a.high * b.high * factor),
  }
}

function slower(a: Range, b: Range): Range {
  return {
    low: Math.max(a.low, b.low),
    expected: Math.max(a.expected, b.expected),
    high: Math.max(a.high, b.high),
  }
}

/** The route of a job of `lane: auto`: the one that is written down, or one that is chosen now, for all of its workers. */
export async function routeOf(deps: EngineDeps, job: Job, spec: Spec, roundBeganMs: number): Promise<Route> {
  const { store, runtime } = deps
  for (;;) {
    const known = (await store.jobs.getByNo(job.jobNo))?.route
    if (known !== undefined) return known
    const nowMs = runtime.now()
    const { deadlineMs } = spec.execution
    const deadlineAtMs = deadlineMs === undefined ? null : roundBeganMs + deadlineMs
    const evidence = await evidenceOf(deps, job, spec)
    const choice = await findWay(deps, spec, evidence, deadlineAtMs === null ? null : deadlineAtMs - nowMs)
    const { way, why, ways, liveMsPerRow } = choice
    const route = { way, chosen: way, deadlineAtMs, why, ways, liveMsPerRow, changes: [] }
    if (await store.jobs.setRoute(job.jobNo, null, route, nowMs)) return route
    // Over meanwhile: what is decided for it does not matter any more.
    if (((await store.jobs.getByNo(job.jobNo))?.route ?? null) === null) return route
  }
}

/** What a job's rows will use, from a few of its chunks; that answers may be kept already is left out. */
async function evidenceOf(deps: EngineDeps, job: Job, spec: Spec): Promise<RowEvidence> {
  const tally = createRowTally({
    program: rowProgramOf(spec, columnsOf(job)),
    answersOf: async () => new Map(),
    sharesAnswers: false,
  })
  for (const chunkNo of evenly(job.chunksTotal, CHUNKS_MEASURED)) {
    const chunk = await deps.store.chunks.get({ jobNo: job.jobNo, chunkNo })
    if (chunk !== null) await tally.add(await readRows(deps, job, spec, chunk), 0)
  }
  const price = deps.models.price(spec.model.target, spec.model.price)
  const past = await pastJobs(deps, spec.name)
  const evidence = chooseEvidence(await historyOf(deps, past, spec, price))
  return { tally: scaled(tally.finish(), job.rowsTotal), past, evidence }
}

function scaled({ rows, bytes, worstInputTokens, worstOutputTokens }: Tally, total: number): Tally {
  const factor = rows.total === 0 ? 0 : total / rows.total
  const whole = (value: number) => Math.round(value * factor)
  return {
    rows: {
      total,
      toRun: whole(rows.toRun),
      reuse: 0,
      duplicates: 0,
      skipped: whole(rows.skipped),
      unreadable: whole(rows.unreadable),
      failing: whole(rows.failing),
      exact: false,
    },
    bytes: whole(bytes),
    worstInputTokens: whole(worstInputTokens),
    worstOutputTokens: whole(worstOutputTokens),
  }
}
