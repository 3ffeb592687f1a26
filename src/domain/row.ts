import type { Cause } from './failure.ts'
import type { NanoUsd } from './money.ts'

/** A JSON value as it stands in the snapshot; integers that a double cannot hold exactly are `bigint`. */
export type Value = null | boolean | number | bigint | string | readonly Value[] | { readonly [key: string]: Value }

/** One input row, read back from the snapshot. */
export interface Row {
  /** Position in the input, from 0; unreadable lines keep theirs. */
  readonly index: number
  /** The value of `input.key`, else the index as text; `line:N` for an unreadable line. */
  readonly id: string
  /** Values in the order of the snapshot's columns. */
  readonly values: readonly Value[]
}

/** A line that could not be read: it keeps its index and becomes a dead letter. */
export interface UnreadableLine {
  readonly index: number
  /** Line in the file, from 1. */
  readonly line: number
  readonly file: string
  readonly message: string
  /** The first bytes of it as text, capped. */
  readonly excerpt: string
}

export const OUTCOME_STATES = ['succeeded', 'failed', 'skipped', 'cancelled'] as const
export type OutcomeState = (typeof OUTCOME_STATES)[number]

/** `batch` is the provider's batch API; `cache`: the answer of an earlier row was reused. */
export type LaneName = 'live' | 'batch' | 'cache'

/** The outcome of one row: written once per round, by the holder of its chunk's epoch. */
export interface Outcome {
  readonly rowIndex: number
  readonly rowId: string
  readonly state: OutcomeState
  readonly cause: Cause | null
  readonly message: string | null
  /** The accepted answer as JSON text: an object by the output schema, or `{"answer": …}` for plain text. */
  readonly output: string | null
  /** The last reply, capped, kept for dead letters only. */
  readonly reply: string | null
  /** Attempts of this round that count. */
  readonly attempts: number
  /** The model as the provider named it in its answer; else as asked. */
  readonly model: string | null
  readonly lane: LaneName | null
  /** Over all attempts of the round. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNano: NanoUsd | null
  /** From the first request sent to the last answer, waits included. */
  readonly latencyMs: number | null
  /** Of the first request; the key under which the answer may be reused. */
  readonly requestHash: string | null
  readonly specHash: string
  readonly round: number
  readonly endedAtMs: number
  /** The row was given to a fallback model. */
  readonly fallback: boolean
  /** Of a reused answer, while it is counted: what it saved. It is not kept with the row. */
  readonly saved?: Saved
}

/** What the reuse of an answer saved: what the row that was asked had used, all its attempts together. */
export interface Saved {
  /** The answer is that of a row of the same job. */
  readonly here: boolean
  readonly inputTokens: number
  readonly outputTokens: number
  /** 0 where no price is known. */
  readonly costNano: NanoUsd
}
