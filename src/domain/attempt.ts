import type { Cause } from './failure.ts'
import type { NanoUsd } from './money.ts'
import type { LaneName } from './row.ts'
import type { Usage } from './usage.ts'

/** Bytes of a reply that are kept with an attempt or a dead letter. */
export const REPLY_CAP_BYTES = 4096

/**
 * Where an attempt stands in the ledger:
 * `open` sent, not yet answered · `booked` ended, by the holder of the chunk · `lost` its process died first: booked at its worst case ·
 * `orphaned` ended, but its holder's epoch had passed: paid for, and of no use.
 */
export type AttemptState = 'open' | 'booked' | 'lost' | 'orphaned'

/** What is written down before a request is sent: after a crash, this is all that is known of it. */
export interface AttemptIntent {
  /** UUIDv7, minted before sending. */
  readonly id: string
  readonly jobNo: number
  readonly chunkNo: number
  readonly epoch: number
  readonly rowIndex: number
  readonly round: number
  /** From 1, within row and round, over counted and uncounted ones. */
  readonly number: number
  /** `provider/model` as asked. */
  readonly model: string
  readonly lane: LaneName
  readonly requestHash: string
  readonly startedAtMs: number
  /** Upper bounds: input by its bytes, output by `max_output_tokens`. */
  readonly worstInputTokens: number
  readonly worstOutputTokens: number
  /** Of the input, what may be charged as written to a cache: all of it, where that is dearer. */
  readonly worstCacheWriteTokens: number
  /** `null`: the price is unknown. */
  readonly worstCostNano: NanoUsd | null
  /** The price of the worst case, by its number in the store; of an attempt that has ended, the one it was charged at. `null`: unknown. */
  readonly priceNo: number | null
}

/** How an attempt ended. */
export interface AttemptFact {
  readonly intent: AttemptIntent
  readonly endedAtMs: number
  /** `null`: the answer was accepted. */
  readonly cause: Cause | null
  readonly message: string | null
  readonly status: number | null
  readonly providerCode: string | null
  /** The provider's id of the request, for its support. */
  readonly providerRequestId: string | null
  /** Whether it uses up retries or attempts; 429s and outages do not. */
  readonly counts: boolean
  /** `false`: asking the same model again cannot help, whatever the cause's rule says. Absent: as the rule says. */
  readonly retryable?: boolean
  readonly usage: Usage
  /** `null`: paid, price unknown. */
  readonly costNano: NanoUsd | null
  /** The reply, capped to `REPLY_CAP_BYTES`, where the next attempt or a dead letter needs it. */
  readonly reply: string | null
}

/** An earlier attempt of a row, as `prepare` and `settle` need it: all that connects the requests of one row. */
export interface PastAttempt {
  readonly number: number
  readonly state: AttemptState
  readonly cause: Cause | null
  readonly message: string | null
  readonly counts: boolean
  /** As in `AttemptFact`. */
  readonly retryable?: boolean
  readonly model: string
  readonly reply: string | null
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNano: NanoUsd | null
  readonly startedAtMs: number
  readonly requestHash: string
}

/** An earlier attempt of a row, and which one it was. */
export interface KnownAttempt extends PastAttempt {
  readonly id: string
  readonly lane: LaneName
}
