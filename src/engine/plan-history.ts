import { isTerminal, isTrial, type Job } from '../domain/job.ts'
import type { Price } from '../domain/money.ts'
import type { Row } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import type { Pace } from '../plan/duration.ts'
import type { Evidence } from '../plan/estimate.ts'
import { type Observation, observe, type Rates } from '../plan/observation.ts'
import { requestBytes } from '../plan/request-bytes.ts'
import { asksTheSame } from '../plan/spec-difference.ts'
import type { EngineDeps } from './engine-deps.ts'
import { columnsOf, readRows, specOf } from './job-parts.ts'
import { rowProgramOf } from './row-program.ts'

/** Jobs that are looked through for earlier ones of the spec, newest first. */
const LOOK_BACK = 500
const PAGE = 100

/** Earlier jobs that an estimate rests on at the most, rows of them, and chunks that the rows of one job come from. */
const MOST_JOBS = 5
const MOST_ROWS = 400
const CHUNKS_LOOKED_AT = 8

/** Rows from which the pace of a job says something. */
const ENOUGH_FOR_PACE = 100

/** An earlier job of a spec, with the version it ran with. */
export interface PastJob {
  readonly job: Job
  readonly spec: Spec
}

/** The earlier jobs of a spec whose rows are still there, newest first, among the tenant's latest jobs. */
export async function pastJobs(deps: EngineDeps, specName: string): Promise<readonly PastJob[]> {
  const found: PastJob[] = []
  /** By hash: most jobs of a spec ran with one of a few versions. */
  const specs = new Map<string, Spec>()
  const versionOf = async (job: Job) => {
    const spec = specs.get(job.specHash) ?? (await specOf(deps, job))
    specs.set(job.specHash, spec)
    return spec
  }
  let before: number | undefined
  for (let seen = 0; seen < LOOK_BACK; seen += PAGE) {
    const page = await deps.store.jobs.list(deps.tenantNo, { limit: PAGE, ...(before !== undefined && { before }) })
    for (const job of page) {
      const isKept = job.droppedAtMs === undefined && job.input !== null && job.rowsTotal > 0
      if (job.specName === specName && isKept) found.push({ job, spec: await versionOf(job) })
    }
    before = page[page.length - 1]?.jobNo
    if (page.length < PAGE || before === undefined) break
  }
  return found
}

/** The latest earlier job that came to its end, trials aside: what `--explain` compares with. */
export function latestEnded(jobs: readonly PastJob[]): PastJob | null {
  return jobs.find(({ job }) => isTerminal(job.state) && !isTrial(job)) ?? null
}

/** What earlier jobs with the same model show: first those that asked the same, then those that asked another way. */
export async function historyOf(
  deps: EngineDeps,
  jobs: readonly PastJob[],
  spec: Spec,
  price: Price | null,
): Promise<readonly Evidence[]> {
  const sameModel = jobs.filter((past) => past.spec.model.target.id === spec.model.target.id)
  const same = sameModel.filter((past) => asksTheSame(past.spec, spec))
  const others = sameModel.filter((past) => !same.includes(past))
  return [await evidenceOf(deps, same, 'same', price), await evidenceOf(deps, others, 'other', price)].filter(
    ({ observations }) => observations.length > 0,
  )
}

async function evidenceOf(
  deps: EngineDeps,
  jobs: readonly PastJob[],
  version: 'same' | 'other',
  price: Price | null,
): Promise<Evidence> {
  const seen: JobSeen[] = []
  let room = MOST_ROWS
  for (const past of jobs.slice(0, MOST_JOBS)) {
    if (room <= 0) break
    const job = await lookAt(deps, past, price, room)
    if (job.observations.length > 0) seen.push(job)
    room -= job.observations.length
  }
  const observations = seen.flatMap((job) => job.observations)
  return {
    basis: { kind: 'history', rows: observations.length, jobs: seen.map(({ id }) => id), version },
    observations,
    pushBacks: {
      attempts: seen.reduce((sum, { pushBacks }) => sum + pushBacks.attempts, 0),
      turnedAway: seen.reduce((sum, { pushBacks }) => sum + pushBacks.turnedAway, 0),
    },
  }
}

/** What a pilot shows. */
export async function pilotEvidence(deps: EngineDeps, pilot: PastJob, price: Price | null): Promise<Evidence> {
  const { id, observations, pushBacks } = await lookAt(deps, pilot, price, pilot.job.rowsTotal)
  return { basis: { kind: 'pilot', rows: observations.length, job: id }, observations, pushBacks }
}

/** How fast earlier jobs of this model and concurrency went. */
export function pacesOf(jobs: readonly PastJob[], spec: Spec): readonly Pace[] {
  return jobs
    .filter(({ job, spec: then }) => {
      const alike =
        then.model.target.id === spec.model.target.id &&
        then.execution.concurrency.max === spec.execution.concurrency.max &&
        job.settings.concurrency === null
      return alike && job.state === 'completed' && job.round === 0 && !isTrial(job) && wentLive(job, then)
    })
    .map(({ job: { counters, activeMs } }) => ({
      rows: counters.succeeded + counters.failed - counters.cached,
      activeMs,
    }))
    .filter(({ rows, activeMs }) => rows >= ENOUGH_FOR_PACE && activeMs > 0)
    .slice(0, MOST_JOBS)
}

/** Whether all of a job's rows were asked live, at the live pace: what waits for batches, or for room at flex, says nothing of that. */
function wentLive({ route }: Job, { execution }: Spec): boolean {
  if (execution.lane !== 'auto') return execution.lane === 'live'
  return route?.chosen === 'live' && route.way === 'live'
}

/** What one job shows. */
type JobSeen = Omit<Evidence, 'basis'> & { readonly id: string }

/** What rows of a job used that were asked in it: of chunks that lie evenly over it, with their requests rendered again for their size. */
async function lookAt(deps: EngineDeps, past: PastJob, price: Price | null, most: number): Promise<JobSeen> {
  const { promptCache, attempts, byCause } = await deps.store.attempts.ledger(past.job.jobNo)
  const share = (tokens: number) => (promptCache.inputTokens === 0 ? 0 : tokens / promptCache.inputTokens)
  const rates = {
    price,
    cachedShare: share(promptCache.cachedTokens),
    cacheWriteShare: share(promptCache.cacheWriteTokens),
  }
  const turnedAway = byCause
    .filter(({ cause }) => cause === 'rate_limited' || cause === 'overloaded')
    .reduce((sum, each) => sum + each.attempts, 0)
  const observations = await observationsOf(deps, past, rates, most)
  return { id: past.job.id, observations, pushBacks: { attempts, turnedAway } }
}

async function observationsOf(
  deps: EngineDeps,
  { job, spec }: PastJob,
  rates: Rates,
  most: number,
): Promise<readonly Observation[]> {
  const program = rowProgramOf(spec, columnsOf(job))
  const chunkNos = evenly(job.chunksTotal, CHUNKS_LOOKED_AT)
  const perChunk = Math.ceil(most / chunkNos.length)
  const found: Observation[] = []
  for (const chunkNo of chunkNos) {
    const chunk = await deps.store.chunks.get({ jobNo: job.jobNo, chunkNo })
    const rows = chunk === null ? null : await rowsKept(() => readRows(deps, job, spec, chunk))
    if (chunk === null || rows === null) continue
    const outcomes = await deps.store.rows.list(job.jobNo, chunk.firstRow, chunk.rows)
    const byIndex = new Map(outcomes.map((outcome) => [outcome.rowIndex, outcome]))
    const observed = rows.flatMap((row) => {
      const outcome = byIndex.get(row.index)
      const prepared = outcome === undefined ? null : program.prepare(row, [], { fallbackAllowed: () => false })
      if (outcome === undefined || prepared?.kind !== 'send') return []
      const seen = observe(outcome, requestBytes(prepared.request), rates)
      return seen === null ? [] : [seen]
    })
    found.push(...evenly(observed.length, perChunk).map((at) => observed[at] as Observation))
  }
  return found.slice(0, most)
}

/** `null`: the snapshot was cleaned up, or is damaged, which is nothing that a plan could not do without. */
async function rowsKept(read: () => Promise<readonly Row[]>): Promise<readonly Row[] | null> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'snapshot_damaged') return null
    throw error
  }
}

/** At most `n` of the numbers below `total`, evenly spread. */
export function evenly(total: number, n: number): readonly number[] {
  const count = Math.min(total, n)
  return Array.from({ length: count }, (_, at) => Math.floor(((at + 0.5) * total) / count))
}
