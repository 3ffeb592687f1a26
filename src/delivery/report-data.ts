import type { BudgetView } from '../domain/budget-view.ts'
import type { DeadlineView } from '../domain/deadline.ts'
import type { Cause } from '../domain/failure.ts'
import type { GateResult } from '../domain/gates.ts'
import type { Counters, Job } from '../domain/job.ts'
import type { Ledger } from '../domain/ledger.ts'
import type { NanoUsd } from '../domain/money.ts'
import type { Route } from '../domain/route.ts'
import type { RowSizes, StoredOutcome } from '../domain/stored.ts'

/** Name and version of the report as JSON; fields are only ever added to it. */
export const REPORT_VERSION = 'sluice.report/1'

/** Everything that a report says, gathered at one moment. Of the rows it holds keys and messages, and no other contents. */
export interface ReportData {
  /** The one moment that all of its times are measured at, UTC ms. */
  readonly madeAtMs: number
  readonly job: Job
  readonly spec: ReportedSpec
  readonly rows: ReportedRows
  readonly gates: readonly GateResult[]
  /** From submission until the end, or until now. */
  readonly wallMs: number
  /** Without the time spent paused. */
  readonly activeMs: number
  readonly ledger: Ledger
  readonly lane: ReportedLane
  /** `null`: the job has no budget. */
  readonly budget: BudgetView | null
  /** Cost over succeeded and failed rows; `null`: no such row, or no price is known. A lower bound where `ledger.unpriced` is not 0. */
  readonly costPerRowNano: NanoUsd | null
  /** Whether answers came from the simulator, and from nobody else. */
  readonly simulated: 'all' | 'some' | 'none'
  readonly causes: readonly ReportedCause[]
  readonly dearest: readonly DearRow[]
  /** `null`: too few rows used any tokens for a tenth of them to say something. */
  readonly heaviest: HeaviestTenth | null
  readonly reuse: ReportedReuse
  /** `null`: too many rows to look at. */
  readonly outputs: OutputProfile | null
  readonly rounds: readonly ReportedRound[]
}

export interface ReportedSpec {
  readonly name: string
  readonly hash: string
  readonly description: string | null
  readonly tags: Readonly<Record<string, string>>
  /** The model as asked, then its fallbacks. */
  readonly models: readonly string[]
  readonly lane: string
}

/** Which way the round went. */
export interface ReportedLane {
  /** `null`: the lane was not `auto`, or nothing was chosen yet. */
  readonly route: Route | null
  /** `null`: there is none. */
  readonly deadline: DeadlineView | null
}

export interface ReportedRows {
  readonly total: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  readonly cancelled: number
  /** Without an outcome yet. */
  readonly pending: number
  readonly cached: number
  readonly retried: number
  readonly fallback: number
}

export interface ReportedCause {
  readonly cause: Cause
  readonly rows: number
  readonly meaning: string
  readonly advice: string
  readonly example: { readonly rowId: string; readonly message: string | null; readonly attempts: number }
}

/** One of the most expensive rows. */
export interface DearRow {
  readonly rowId: string
  readonly rowIndex: number
  readonly costNano: NanoUsd
  /** Of what the whole job cost, 0..1. */
  readonly share: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly attempts: number
  readonly state: StoredOutcome['state']
}

/** The tenth of the rows that used the most tokens, all of a row's attempts together. */
export interface HeaviestTenth {
  readonly rows: number
  readonly tokens: number
  /** Of all rows together. */
  readonly allTokens: number
}

/** Rows whose answer an earlier row had paid for, and what that row had used for it. */
export interface ReportedReuse {
  readonly rows: number
  /** Among them, of this same job. */
  readonly rowsHere: number
  readonly savedInputTokens: number
  readonly savedOutputTokens: number
  /** As far as prices are known. */
  readonly savedNano: NanoUsd
}

/** What the accepted answers look like as a whole. */
export interface OutputProfile {
  /** Columns of few and named values, with how often each value was given; most first. */
  readonly columns: readonly {
    readonly name: string
    readonly values: readonly { readonly value: string; readonly rows: number }[]
    readonly nulls: number
  }[]
  /** Models as they named themselves in their answers; most first. */
  readonly answeredBy: readonly { readonly model: string; readonly rows: number }[]
}

export interface ReportedRound {
  readonly round: number
  readonly specHash: string
  readonly atMs: number
}

/** Rows below which the heaviest tenth says nothing. */
const MIN_ROWS_OF_TENTH = 20

/** The heaviest tenth, of rows counted by size, largest first. Where it ends within a size, rows of that size are taken to be alike. */
export function heaviestTenth(sizes: RowSizes): HeaviestTenth | null {
  const all = sizes.reduce((sum, size) => sum + size.rows, 0)
  if (all < MIN_ROWS_OF_TENTH) return null
  const rows = Math.ceil(all / 10)
  let [left, tokens] = [rows, 0]
  for (const size of sizes) {
    const taken = Math.min(left, size.rows)
    tokens += Math.round((size.tokens * taken) / size.rows)
    left -= taken
  }
  return { rows, tokens, allTokens: sizes.reduce((sum, size) => sum + size.tokens, 0) }
}

/** What reuse of answers has saved a job. */
export function reportedReuse(counters: Counters): ReportedReuse {
  const { cached, cachedHere, savedInputTokens, savedOutputTokens, savedNano } = counters
  return { rows: cached, rowsHere: cachedHere, savedInputTokens, savedOutputTokens, savedNano }
}

/** The rows of a job by how they stand. */
export function reportedRows(job: Job, counters: Counters): ReportedRows {
  const { succeeded, failed, skipped, cancelled, cached, retried, fallback } = counters
  const pending = Math.max(0, job.rowsTotal - succeeded - failed - skipped - cancelled)
  return { total: job.rowsTotal, succeeded, failed, skipped, cancelled, pending, cached, retried, fallback }
}
