import type { AlertsSpec } from './alert.ts'
import type { ChatKind } from './chat.ts'
import type { Cause } from './failure.ts'
import type { Priority } from './job.ts'
import type { NanoUsd } from './money.ts'
import type { NoticeTarget, NotifyEvent } from './notice.ts'
import type { JsonSchema, ModelTarget } from './request.ts'

/** A spec with every default filled in: what its canonical JSON holds, and what the rest of the house works with (contract §6). */
export interface Spec {
  readonly version: 1
  readonly name: string
  readonly description: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly vars: Readonly<Record<string, string | number | boolean>>
  readonly input: InputSpec
  readonly model: ModelSpec
  readonly prompt: PromptSpec
  readonly output: OutputSpec
  readonly execution: ExecutionSpec
  readonly priority: Priority
  readonly budget: BudgetSpec
  readonly gates: GatesSpec
  readonly pauseIf: PauseIfSpec | null
  readonly write: WriteSpec | null
  /** Absent: nobody is told. */
  readonly notify?: readonly NotifySpec[]
  /** When those hear who want to hear of alerts; absent: nobody does. */
  readonly alerts?: AlertsSpec
}

export type InputFormat = 'csv' | 'tsv' | 'jsonl' | 'json' | 'parquet' | 'sql'

/** Exactly one of `source` and `sql` is given. Paths are as written; they are relative to the spec's folder. */
export interface InputSpec {
  readonly source: string | null
  readonly sql: string | null
  /** `null`: by the file's name. */
  readonly format: Exclude<InputFormat, 'sql'> | null
  readonly key: string | null
  /** A Liquid condition over the columns; rows that fail it are skipped. */
  readonly where: string | null
  /** Rows taken from the start of the input; those that `where` skips count. */
  readonly limit: number | null
  readonly csv: CsvSpec
}

/** `null`: found by looking at the file, and shown. */
export interface CsvSpec {
  readonly delimiter: string | null
  readonly header: boolean | null
  readonly encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'latin1' | null
}

/** USD per million tokens, decimal strings. */
export interface PriceSpec {
  readonly input: string
  readonly output: string
  readonly cachedInput: string | null
  /** Input that is written to the provider's cache; absent: as input. */
  readonly cacheWrite?: string
}

export interface FallbackSpec {
  readonly target: ModelTarget
  readonly price: PriceSpec | null
  readonly when: readonly Cause[]
  /** Share of the job's rows that may go to it, 0..1; `null`: all. */
  readonly maxShare: number | null
}

export interface ModelSpec {
  readonly target: ModelTarget
  readonly price: PriceSpec | null
  readonly fallback: readonly FallbackSpec[]
}

export interface PromptSpec {
  readonly system: string | null
  /** `null`: the row as one JSON object. */
  readonly user: string | null
  /** The rows are whole requests, of this kind, in the column `body`; absent: templates make them. No spec says so: sluice itself does, for OpenAI's batches. */
  readonly request?: ChatKind
}

export interface CheckSpec {
  readonly that: string
  readonly message: string
}

export interface OutputSpec {
  /** `null`: plain text in the column `answer`. Else an object schema; its top-level properties are the output columns, in order. */
  readonly schema: JsonSchema | null
  /** Names of the output columns, in order: `['answer']` for plain text. */
  readonly columns: readonly string[]
  readonly checks: readonly CheckSpec[]
  readonly onInvalid: { readonly attempts: number }
}

export interface ExecutionSpec {
  /** `auto`: the cheapest that meets the deadline. */
  readonly lane: 'live' | 'batch' | 'auto'
  /** Where the lane is `batch` or `auto`; else absent. */
  readonly batch?: BatchSpec
  /** How long after its round began the job should be done, ms; absent: whenever it is. */
  readonly deadlineMs?: number
  /** `null`: 200, or a twentieth of a smaller job, at least 10. */
  readonly chunkRows: number | null
  readonly chunksInFlight: number
  readonly chunkAttempts: number
  readonly concurrency: { readonly max: number }
  readonly limits: LimitsSpec
  readonly timeout: { readonly requestMs: number; readonly jobMs: number | null }
  readonly retries: number
  readonly cache: 'off' | 'job' | 'spec' | 'tenant'
}

/** How a job goes through its provider's batch API. */
export interface BatchSpec {
  /** How rows are asked again that failed in a batch, or did not fit. */
  readonly retry: 'batch' | 'live'
  /** Requests in one batch at the most; `null`: as many as the provider takes. */
  readonly requests: number | null
  /** Tokens of input that the provider keeps waiting for this account and model at the most; `null`: it is found out. */
  readonly queueTokens: number | null
  /** Longest pause between two looks at a batch, ms. */
  readonly pollMs: number
  /** How long a batch may take to end that is called back, ms. Absent: 15 minutes. */
  readonly recallMs?: number
}

/** What the account may send, where it is not left to the provider's word: requests, tokens, input and output tokens a minute, and a day. */
export interface LimitsSpec {
  readonly rpm: number | null
  readonly tpm: number | null
  readonly itpm: number | null
  readonly otpm: number | null
  readonly rpd: number | null
  readonly tpd: number | null
}

/** What a job may use at most; `null`: no end. `sluice set` may say otherwise while the job lives. */
export interface BudgetSpec {
  readonly usdNano: NanoUsd | null
  /** Input and output tokens of all attempts. */
  readonly tokens: number | null
  /** Tokens that all attempts of one row may use together, input and output. */
  readonly rowTokens: number | null
  /** What becomes of the job when its next request might pass the budget: it waits for a raise, or it ends. */
  readonly onExceed: 'pause' | 'stop'
}

export interface GatesSpec {
  /** ok / (ok + failed), 0..1. */
  readonly minSuccess: number | null
  readonly maxCostPerRowNano: number | null
}

export interface PauseIfSpec {
  /** Share of failed among ended rows, 0..1. */
  readonly failedOver: number
  readonly afterRows: number
}

export interface WriteSpec {
  readonly path: string
  readonly includeInput: boolean
}

/** One place that is told, and of what. */
export interface NotifySpec extends NoticeTarget {
  readonly when: readonly NotifyEvent[]
}
