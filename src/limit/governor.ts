import type { Cause } from '../domain/failure.ts'
import type { LimitSignal } from '../domain/limit-signal.ts'

/**
 * Decides, per provider account and model, when one more request may be sent. The full governor (request and token buckets, shared over a
 * fleet) takes this seam over; until then `adaptive.ts` holds concurrency and Retry-After.
 */
export interface Governor {
  /** Takes a slot at once, or says no. After a no, `onRoom` listeners hear when asking again makes sense. */
  take(account: string, estimatedTokens: number): Slot | null
  /** Sets the ceiling for an account; the smallest over the jobs that use it is the caller's affair. */
  setMax(account: string, max: number): void
  state(account: string): GovernorState
  /** Takes an outage for over until it shows anew: somebody has been told, and wants it tried again. */
  forgiveOutage(account: string): void
  /** Calls back whenever an account may have room again; returns the way out. */
  onRoom(listener: (account: string) => void): () => void
  /** Cancels timers. */
  close(): void
}

/** The right to send one request. */
export interface Slot {
  /** Must be called exactly once, when the request has ended. Says whether the provider as a whole seems to be out. */
  release(result: SlotResult): { readonly outage: boolean }
}

export interface SlotResult {
  /** `null`: answered. `cancelled`: nothing was sent, or we hung up: it says nothing of the provider. */
  readonly cause: Cause | null
  readonly retryAfterMs: number | null
  readonly limits: LimitSignal | null
}

export interface GovernorState {
  readonly inFlight: number
  readonly concurrency: number
  /** Nothing is sent before this time; `null`: nothing holds. */
  readonly heldUntilMs: number | null
  readonly heldFor: Cause | null
  readonly outage: boolean
  /** The outage has lasted so long that the job should pause. */
  readonly down: boolean
}
