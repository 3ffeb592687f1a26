import type { NanoUsd } from './money.ts'
import type { Range } from './range.ts'
import type { ModelParams } from './request.ts'
import type { Way, WayEstimate } from './route.ts'
import type { ExecutionSpec } from './spec.ts'

/** Rows of the input by what a run would do with each; they add up to `total`. */
export interface PlannedRows {
  readonly total: number
  /** Requests that would be sent, before any is repeated. */
  readonly toRun: number
  /** Rows whose answer is kept already. */
  readonly reuse: number
  /** Rows that ask the same as an earlier row of the input, and share its answer. */
  readonly duplicates: number
  /** Left out by `input.where`. */
  readonly skipped: number
  readonly unreadable: number
  /** Rows that fail before they are sent: a template that does not fit them, or `budget.row_tokens`. */
  readonly failing: number
  /** `false`: there were so many that `toRun`, `reuse` and `duplicates` are the share of a sample. */
  readonly exact: boolean
}

/** What an estimate rests on. */
export type Basis =
  /** Rows that were asked for this plan, drawn from those to run. */
  | { readonly kind: 'pilot'; readonly rows: number; readonly job: string }
  /** Rows of earlier jobs of this spec and model; `version`: whether they were asked the same way, or by another prompt. */
  | {
      readonly kind: 'history'
      readonly rows: number
      readonly jobs: readonly string[]
      readonly version: 'same' | 'other'
    }
  /** Nothing but the length of the requests, and `max_output_tokens`. */
  | { readonly kind: 'length' }
  /** Nothing is to be sent. */
  | { readonly kind: 'nothing' }

/** What a run would use, over all of its attempts. */
export interface PlannedUse {
  readonly inputTokens: Range
  readonly outputTokens: Range
  /** `null`: no price is known. */
  readonly costNano: Range | null
  /** One request for each row, each at its bound: what the budget must hold free in the worst case without retries. */
  readonly worstCostNano: NanoUsd | null
  readonly basis: Basis
}

/** How long a run would take on one worker, in ms. */
export interface PlannedTime {
  readonly ms: Range
  /** What sets it, for people: `concurrency 64`, `600 requests a minute`, `this machine`. */
  readonly bound: string
  /** `pace`: the rows per minute of earlier jobs; `latency`: how long single rows took; `turnarounds`: how long batches of the account took. */
  readonly basis: 'pace' | 'latency' | 'limits' | 'turnarounds'
}

/** The way that `lane: auto` would take if the run began now, and what it was compared with. */
export interface PlannedRoute {
  readonly way: Way
  /** One sentence, for people. */
  readonly why: string
  /** Time from the start of the run; `null`: it has all the time. */
  readonly deadlineMs: number | null
  /** The cheapest first. */
  readonly ways: readonly WayEstimate[]
}

export type Fit = 'fits' | 'may not fit' | 'does not fit'

/** How a limit of the spec's budget stands to what is expected. */
export interface BudgetFit {
  readonly limit: 'usd' | 'tokens'
  /** Nano-dollars, or tokens. */
  readonly amount: number
  readonly fit: Fit
}

/** Why rows would be paid for though an earlier job has seen the spec. */
export type PaidAgainReason =
  | 'new row'
  | 'row changed'
  | 'model changed'
  | 'parameters changed'
  | 'prompt changed'
  | 'output schema changed'
  | 'failed before'
  | 'skipped before'
  | 'not finished before'
  | 'cache off'
  | 'checks changed'
  | 'answer not kept'

/** How the rows to run stand to the latest earlier job of the spec. */
export interface Explanation {
  /** `null`: there is no earlier job. */
  readonly job: string | null
  readonly reasons: readonly {
    readonly reason: PaidAgainReason
    readonly rows: number
    /** The first place in the spec where it differs; `null`: the reason is none of the spec. */
    readonly place: string | null
  }[]
}

/** What a saved plan holds a run to: any of these differs, and the plan is stale. */
export interface PlanBinding {
  readonly specHash: string
  readonly inputHash: string
  readonly priceHash: string
}

/** What a run of a spec would do, cost and take, before anything but a pilot is spent. */
export interface Plan {
  readonly id: string
  readonly madeAtMs: number
  readonly binding: PlanBinding
  readonly spec: {
    readonly name: string
    readonly model: string
    readonly params: ModelParams
    readonly fallbacks: readonly string[]
    /** As in the spec. */
    readonly lane: ExecutionSpec['lane']
  }
  /** Where the price is from; `null`: unknown. */
  readonly priceSource: string | null
  readonly rows: PlannedRows
  /** Where the lane is `auto`, on the way of `route`, rows that are late included. */
  readonly use: PlannedUse
  /** Likewise. `null`: nothing was asked yet that would tell. */
  readonly time: PlannedTime | null
  /** `null`: the lane is not `auto`, or nothing is to be sent. */
  readonly route: PlannedRoute | null
  readonly budget: readonly BudgetFit[]
  /** `null`: was not asked for. */
  readonly explanation: Explanation | null
  /** For people. */
  readonly notes: readonly string[]
}
