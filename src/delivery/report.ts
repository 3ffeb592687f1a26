import { limitsOf } from '../domain/budget.ts'
import { viewBudget } from '../domain/budget-view.ts'
import { deadlineAt, viewDeadline } from '../domain/deadline.ts'
import { CAUSE_RULES } from '../domain/failure.ts'
import { measureGates } from '../domain/gates.ts'
import { isTerminal, isTrial, type Job } from '../domain/job.ts'
import type { Ledger } from '../domain/ledger.ts'
import type { Spec } from '../domain/spec.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import type { Store } from '../store/store.ts'
import { profileOutputs } from './output-profile.ts'
import {
  type DearRow,
  heaviestTenth,
  type ReportData,
  type ReportedLane,
  type ReportedRound,
  type ReportedRows,
  reportedReuse,
  reportedRows,
} from './report-data.ts'

/** What a report is gathered from. */
export interface ReportSource {
  readonly store: {
    readonly jobs: Pick<Store['jobs'], 'progress' | 'round'>
    readonly rows: Pick<Store['rows'], 'list' | 'causes' | 'dearest' | 'sizes'>
    readonly attempts: Pick<Store['attempts'], 'ledger'>
    readonly budgets: Pick<Store['budgets'], 'outlook'>
  }
  readonly jobNo: number
  readonly spec: Spec
  /** UTC ms: times that are still running are measured up to here. */
  readonly nowMs: number
}

const DEAREST = 10

/** Jobs with more accepted rows than this get no profile of their outputs. */
export const PROFILE_ROWS = 1_000_000

/** Prefix of model ids that stand for the simulator. */
const SIMULATOR = 'simulator/'

/** Gathers the report of a job as it stands, running or over. Money and tokens come from the ledger, not from the rows. */
export async function gatherReport(source: ReportSource): Promise<ReportData> {
  const { store, jobNo, spec, nowMs } = source
  const { job, counters } = await store.jobs.progress(jobNo)
  const ledger = await store.attempts.ledger(jobNo)
  const rows = reportedRows(job, counters)
  const models = [spec.model.target.id, ...spec.model.fallback.map(({ target }) => target.id)]
  return {
    madeAtMs: nowMs,
    job,
    spec: {
      name: spec.name,
      hash: job.specHash,
      description: spec.description,
      tags: spec.tags,
      models,
      lane: spec.execution.lane,
    },
    rows,
    gates: isTrial(job) ? [] : measureGates(spec.gates, counters),
    wallMs: Math.max(0, (job.endedAtMs ?? nowMs) - job.createdAtMs),
    activeMs: job.activeMs + (job.activeSinceMs === null ? 0 : Math.max(0, nowMs - job.activeSinceMs)),
    ledger,
    lane: await laneOf(source, job),
    budget: viewBudget(limitsOf(spec.budget, job.settings), await store.budgets.outlook(jobNo), isTerminal(job.state)),
    costPerRowNano: costPerRow(ledger, rows),
    simulated: simulated(ledger, models),
    causes: await causesOf(source),
    dearest: (await store.rows.dearest(jobNo, DEAREST)).flatMap((row) => dearRow(row, ledger)),
    heaviest: heaviestTenth(await store.rows.sizes(jobNo)),
    reuse: reportedReuse(counters),
    outputs: rows.succeeded > PROFILE_ROWS ? null : await profileOutputs(store.rows, jobNo, spec),
    rounds: await roundsOf(source, job),
  }
}

async function laneOf({ store, jobNo, spec, nowMs }: ReportSource, job: Job): Promise<ReportedLane> {
  const beganMs = (await store.jobs.round(jobNo, job.round))?.atMs ?? job.createdAtMs
  const atMs = job.route?.deadlineAtMs ?? deadlineAt(spec.execution.deadlineMs, beganMs, isTrial(job))
  return { route: job.route ?? null, deadline: atMs === null ? null : viewDeadline(atMs, job, nowMs) }
}

async function causesOf({ store, jobNo }: ReportSource) {
  return (await store.rows.causes(jobNo)).map(({ cause, rows, example }) => ({
    cause,
    rows,
    meaning: CAUSE_RULES[cause].meaning,
    advice: CAUSE_RULES[cause].advice,
    example: { rowId: example.rowId, message: example.message, attempts: example.attempts },
  }))
}

async function roundsOf({ store, jobNo }: ReportSource, job: Job): Promise<readonly ReportedRound[]> {
  const rounds: ReportedRound[] = []
  for (let number = 1; number <= job.round; number += 1) {
    const round = await store.jobs.round(jobNo, number)
    if (round !== null) rounds.push({ round: number, specHash: round.specHash, atMs: round.atMs })
  }
  return rounds
}

function costPerRow(ledger: Ledger, rows: ReportedRows): number | null {
  const judged = rows.succeeded + rows.failed
  const unknown = ledger.unpriced > 0 && ledger.costNano === 0
  return judged === 0 || unknown ? null : ledger.costNano / judged
}

/** Where nothing was sent (all answers were reused), the model that would have been asked decides. */
function simulated(ledger: Ledger, models: readonly string[]): ReportData['simulated'] {
  const asked = ledger.byModel.length > 0 ? ledger.byModel.map(({ model }) => model) : models.slice(0, 1)
  const count = asked.filter((model) => model.startsWith(SIMULATOR)).length
  if (count === 0) return 'none'
  return count === asked.length ? 'all' : 'some'
}

function dearRow(row: StoredOutcome, ledger: Ledger): readonly DearRow[] {
  if (row.costNano === null || row.costNano <= 0) return []
  const { rowId, rowIndex, costNano, inputTokens, outputTokens, attempts, state } = row
  const share = costNano / Math.max(costNano, ledger.costNano)
  return [{ rowId, rowIndex, costNano, share, inputTokens, outputTokens, attempts, state }]
}
