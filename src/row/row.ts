import type { PastAttempt } from '../domain/attempt.ts'
import type { Completion } from '../domain/completion.ts'
import type { Cause, Failure } from '../domain/failure.ts'
import type { ModelRequest } from '../domain/request.ts'
import type { Row } from '../domain/row.ts'

/**
 * The life of one row, in two pure functions (architecture §3.3): `prepare(row, attempts) → request` and
 * `settle(row, attempts, completion) → outcome | ask again`. Nothing is kept between them but the attempts.
 */
export interface RowProgram {
  prepare(row: Row, past: readonly PastAttempt[], options: PrepareOptions): Prepared
  settle(row: Row, past: readonly PastAttempt[], sent: Sendable, completion: Completion): Settled
}

export interface PrepareOptions {
  /** Whether the job's share of rows for this fallback (0-based) is not used up yet. */
  fallbackAllowed(fallbackIndex: number): boolean
}

export type Prepared =
  | { readonly kind: 'skip' }
  | { readonly kind: 'fail'; readonly failure: Failure }
  | ({ readonly kind: 'send' } & Sendable)

/** A request that is ready to go. */
export interface Sendable {
  readonly request: ModelRequest
  /** Hash of the normalised request: the key for reuse. */
  readonly requestHash: string
  /** 1 normal · 2 errors fed back · 3 and more: last tries (contract §6, on_invalid). */
  readonly step: number
  /** -1: the spec's model; else the index of the fallback. */
  readonly fallbackIndex: number
  /** Upper bounds: input by its UTF-8 bytes plus overhead, output by max_output_tokens (DEFAULT_MAX_OUTPUT where the spec gives none). */
  readonly worstInputTokens: number
  readonly worstOutputTokens: number
}

/** What `settle` says of one completion: always how the attempt is booked, and then what happens to the row. */
export interface Settled {
  readonly attempt: {
    /** `null`: accepted. */
    readonly cause: Cause | null
    readonly message: string | null
    readonly counts: boolean
    /** To be kept with the attempt: `false`, and the same model is not asked again, whatever the cause's rule says. */
    readonly retryable: boolean
    /** Capped; kept where the next attempt or a dead letter needs it. */
    readonly reply: string | null
  }
  readonly next:
    | { readonly kind: 'succeeded'; readonly output: string }
    | { readonly kind: 'failed'; readonly failure: Failure }
    /** `wait`: back off before the next request (with jitter, or as long as the provider said); `now`: ask at once. */
    | { readonly kind: 'again'; readonly when: 'now' | 'wait'; readonly failure: Failure }
    /** The row stays pending; the job pauses (`credentials`, `quota_exhausted`). */
    | { readonly kind: 'pause'; readonly failure: Failure }
}

/** Output tokens that a request without max_output_tokens is taken to use at worst, for the ledger's `lost` bookings. */
export const DEFAULT_MAX_OUTPUT = 4096
