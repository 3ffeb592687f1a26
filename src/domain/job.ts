import { type NanoUsd, toUsd } from './money.ts'
import type { Route } from './route.ts'

/** What is said of a job that waits for its turn. */
export const WAITS_FOR_TENANT = 'waits: its tenant runs as many jobs as it may'

/** A public job id: `job_` + UUIDv7 (contract §1). */
export type JobId = string

export const JOB_STATES = [
  'created',
  'queued',
  'running',
  'paused',
  'finalizing',
  'completed',
  'failed',
  'cancelled',
] as const
export type JobState = (typeof JOB_STATES)[number]

export const PAUSE_REASONS = [
  'user',
  'budget',
  'error_rate',
  'provider_down',
  'credentials',
  'quota',
  'storage',
  'approval',
] as const
export type PauseReason = (typeof PAUSE_REASONS)[number]

/** Why a job stands in `paused` or `failed`. */
export type StateReason = PauseReason | 'gate' | 'timeout' | 'intake' | 'error'

/** What another process asked for; read by workers at each heartbeat (architecture §4, Control). */
export type Wanted = 'pause' | 'cancel'

/** Which states a job may go to from each; terminal states change only through `retry` (a new round → `queued`). */
export const JOB_TRANSITIONS: Readonly<Record<JobState, readonly JobState[]>> = Object.freeze({
  created: ['queued', 'failed', 'cancelled', 'paused'],
  queued: ['running', 'paused', 'finalizing', 'cancelled', 'failed'],
  running: ['paused', 'finalizing', 'failed', 'cancelled', 'queued'],
  paused: ['queued', 'created', 'cancelled', 'failed', 'finalizing'],
  finalizing: ['completed', 'failed', 'cancelled', 'paused'],
  completed: ['queued'],
  failed: ['queued'],
  cancelled: ['queued'],
})

/** States in which a job is over (until a `retry` opens a new round). */
export const TERMINAL_STATES: readonly JobState[] = Object.freeze(['completed', 'failed', 'cancelled'] as const)

/** Whether nobody has said yet that its input is there: it waits to be uploaded, or its submitter reads it. */
export function isUnbegun({ state, begunAtMs }: Pick<Job, 'state' | 'begunAtMs'>): boolean {
  return state === 'created' && begunAtMs === undefined
}

/** Whether the job is over. */
export function isTerminal(state: JobState): boolean {
  return TERMINAL_STATES.includes(state)
}

/** Whether the guarded change `from` → `to` is one that a job may make. */
export function mayBecome(from: JobState, to: JobState): boolean {
  return JOB_TRANSITIONS[from].includes(to)
}

export type Priority = 'high' | 'normal' | 'low'

export type Trigger = 'cli' | 'http' | 'schedule' | 'openai'

/** The trigger reference of jobs that `sluice try` makes. */
export const TRIAL_REF = 'try'

/** The trigger reference of jobs that `sluice plan --sample` makes. */
export const PILOT_REF = 'pilot'

/** Whether the job is a trial or a pilot: lists leave it out, and neither gates nor `write` apply to its few rows. */
export function isTrial(job: Pick<Job, 'triggerRef'>): boolean {
  return job.triggerRef === TRIAL_REF || job.triggerRef === PILOT_REF
}

/** Rows by outcome, and what they used. Kept per chunk, added to the job when the chunk completes: never counted over rows. */
export interface Counters {
  readonly succeeded: number
  readonly failed: number
  readonly skipped: number
  readonly cancelled: number
  /** Among the succeeded: answers reused. */
  readonly cached: number
  /** Among these: the answers of rows of this same job. */
  readonly cachedHere: number
  /** Rows that needed more than one counted attempt. */
  readonly retried: number
  /** Rows that were given to a fallback model at least once. */
  readonly fallback: number
  /** Attempts that stand in the ledger, counted or not. */
  readonly attempts: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly outputTokens: number
  readonly costNano: NanoUsd
  /** Attempts whose price is unknown: where this is not 0, `costNano` is a lower bound. */
  readonly unpriced: number
  /** What the rows had used, all their attempts together, whose answers were reused. */
  readonly savedInputTokens: number
  readonly savedOutputTokens: number
  /** The same in money, as far as prices are known. */
  readonly savedNano: NanoUsd
}

export const NO_COUNTS: Counters = Object.freeze({
  succeeded: 0,
  failed: 0,
  skipped: 0,
  cancelled: 0,
  cached: 0,
  cachedHere: 0,
  retried: 0,
  fallback: 0,
  attempts: 0,
  inputTokens: 0,
  cachedTokens: 0,
  outputTokens: 0,
  costNano: 0,
  unpriced: 0,
  savedInputTokens: 0,
  savedOutputTokens: 0,
  savedNano: 0,
})

/** Rows of a job by what became of them, in the words of all JSON that tells of it. */
export function rowTotals(rowsTotal: number, { succeeded, failed, skipped, cancelled, cached }: Counters) {
  return { total: rowsTotal, succeeded, failed, skipped, cancelled, cached }
}

/** The tokens of a job, in the same words. */
export function tokenTotals({ inputTokens, cachedTokens, outputTokens }: Counters) {
  return { input: inputTokens, cached: cachedTokens, output: outputTokens }
}

/** A JSON number; `null` where nothing but attempts of unknown price stands in the ledger. */
export function costUsd(counters: Pick<Counters, 'costNano' | 'unpriced'>): number | null {
  return counters.unpriced > 0 && counters.costNano === 0 ? null : toUsd(counters.costNano)
}

/** The sum of two counters, field by field. */
export function addCounters(a: Counters, b: Counters): Counters {
  const sum = { ...a } as Record<keyof Counters, number>
  for (const key of Object.keys(NO_COUNTS) as (keyof Counters)[]) sum[key] += b[key]
  return sum
}

/** Settings that `sluice set` may change while a job lives; `null`: as the spec says. */
export interface JobSettings {
  readonly concurrency: number | null
  readonly priority: Priority | null
  /** What the job may cost, and how many tokens it may use. */
  readonly budgetNano: NanoUsd | null
  readonly budgetTokens: number | null
}

/** A job whose spec decides everything. */
export const AS_SPECIFIED: JobSettings = Object.freeze({
  concurrency: null,
  priority: null,
  budgetNano: null,
  budgetTokens: null,
})

/** One job as the store holds it. */
export interface Job {
  readonly jobNo: number
  readonly id: JobId
  readonly tenantNo: number
  /** Spec name, and the hash of its canonical JSON: its version. */
  readonly specName: string
  readonly specHash: string
  readonly state: JobState
  readonly reason: StateReason | null
  /** One sentence for the user on `reason`. */
  readonly detail: string | null
  readonly wanted: Wanted | null
  readonly wantedReason: StateReason | null
  readonly wantedDetail: string | null
  readonly trigger: Trigger
  readonly triggerRef: string | null
  readonly jobKey: string | null
  /** 0 is the first pass; each `retry` adds one. */
  readonly round: number
  /** Rows in the manifest, unreadable ones included. Grows during intake. */
  readonly rowsTotal: number
  readonly chunksTotal: number
  /** Chunks without all outcomes. */
  readonly openChunks: number
  /** Totals of the chunks that are done or parked, and corrections by late bookings. */
  readonly counters: Counters
  readonly settings: JobSettings
  /** The way that `lane: auto` takes in this round; absent: there is none, or it is not chosen yet. */
  readonly route?: Route
  /** Hash over the input's bytes as read, known when intake is complete. */
  readonly inputHash: string | null
  /** How the input was read, shown to the user: format, delimiter, columns, … */
  readonly input: InputDescription | null
  readonly createdAtMs: number
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
  /** Time spent queued, running or finalizing before the current stretch began. */
  readonly activeMs: number
  /** When the current stretch of activity began; `null` while paused or over. */
  readonly activeSinceMs: number | null
  /** When it was said that its input is there and may be read by whoever comes by; absent: its submitter reads it. */
  readonly begunAtMs?: number
  /** It is `queued` and has no turn yet: its tenant runs as many jobs as it may. */
  readonly waits?: true
  /** When its rows and manifest were thrown away as too old; absent while they are there. */
  readonly droppedAtMs?: number
  readonly version: string
}

/** What intake found out about the input, and the columns that every row has. */
export interface InputDescription {
  readonly format: string
  readonly files: number
  readonly bytes: number
  readonly columns: readonly string[]
  /** For people: `delimiter ";"`, `encoding utf-16le`, `no header`. */
  readonly notes: readonly string[]
  readonly unreadable: number
}
