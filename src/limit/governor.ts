import type { Cause } from '../domain/failure.ts'
import type { LimitSignal } from '../domain/limit-signal.ts'
import type { Usage } from '../domain/usage.ts'
import type { GivenLimits } from './demand.ts'
import type { RequestSize } from './estimate.ts'
import type { LimitInForce } from './share.ts'

/**
 * Decides, per provider account and model, when one more request may be sent: by the account's limits, by how many may be in flight, and by
 * whether the provider is there at all.
 */
export interface Governor {
  /** Takes a slot at once, or says no. After a no, `onRoom` listeners hear when asking again makes sense. */
  take(account: string, size: RequestSize): Slot | null
  /** Sets the ceilings of an account; the smallest over the jobs that use it is the caller's affair. */
  bound(account: string, ceiling: Ceiling): void
  state(account: string): GovernorState
  /** Takes an outage for over until it shows anew: somebody has been told, and wants it tried again. */
  forgiveOutage(account: string): void
  /** Calls back whenever an account may have room again; returns the way out. */
  onRoom(listener: (account: string) => void): () => void
  /** Cancels timers. */
  close(): void
}

/** What the jobs that use an account allow it. */
export interface Ceiling {
  /** Requests in flight. */
  readonly concurrency: number
  readonly limits: GivenLimits
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
  /** `null`: the provider did not say, or nothing was sent. */
  readonly usage: Usage | null
  /** From sending to the last byte, in ms. */
  readonly latencyMs: number
}

export interface GovernorState {
  readonly inFlight: number
  readonly concurrency: number
  /** Nothing is sent before this time; `null`: nothing holds. */
  readonly heldUntilMs: number | null
  readonly heldFor: Cause | null
  readonly outage: boolean
  /** Why the job should pause: nothing has been had of the provider for too long, or will be; `null`: go on. */
  readonly down: Down | null
  /** All limits in force, those per minute first. */
  readonly limits: readonly LimitInForce[]
  /** The limit that holds requests up at the moment. */
  readonly bound: LimitInForce | null
}

/** Why a provider is taken for down. */
export interface Down {
  /** `null`: it does answer, but a limit is used up. */
  readonly cause: Cause | null
  /** For how long nothing has been answered. */
  readonly forMs: number
  /** How long it asks to wait from now on, where that is what is too long. */
  readonly waitMs: number | null
  /** The limit that is used up. */
  readonly limit: LimitInForce | null
}
