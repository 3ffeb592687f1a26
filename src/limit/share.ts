import type { LimitSignal } from '../domain/limit-signal.ts'
import type { Demand, GivenLimits, LimitKind } from './demand.ts'

/**
 * Who draws on an account's limits: one process (`own-share.ts`), or a whole fleet. Accounts are names; an account that was never heard of has no
 * limits until a spec gives some, or a response tells of some.
 */
export interface Share {
  /**
   * Takes it at once, or says no; after a no, `onRoom` listeners hear when asking again makes sense (whoever ends a draw may ask again at once,
   * too). Never waits, never throws.
   */
  take(account: string, demand: Demand): Draw | null
  /** Limits that the specs give; the smallest of all jobs is the caller's affair. Said again with the same limits it changes nothing. */
  limit(account: string, limits: GivenLimits): void
  state(account: string): ShareState
  /** How long answers take while the account's server is not saturated, as others measured it who use it too; `null`: nobody does, or has said so lately. */
  unsaturatedMs(account: string): number | null
  /** Tells them what was measured here; where it is not `byAll`, it counts only if it is less than what they know. */
  measured(account: string, unsaturatedMs: number, byAll: boolean): void
  /** Somebody wants it tried again: a wait that is longer than a minute's window is forgotten. */
  forgive(account: string): void
  /** Calls back whenever an account may have room again; returns the way out. */
  onRoom(listener: (account: string) => void): () => void
  /** Cancels timers; what is taken and not ended is left to run out. */
  close(): void
}

/** What was taken for one request. */
export interface Draw {
  /**
   * To be called once. `used` is what the request really was, as far as it is known: the difference goes back, or is owed. `null`: nothing was
   * sent, and all goes back. `seen` is what came back: the provider's own word on its limits counts for more than what was counted here.
   */
  end(used: Demand | null, seen: Seen | null): void
}

/** What a response told of its account's limits. */
export interface Seen {
  readonly signal: LimitSignal | null
  /** It was turned away for a limit (429), and not answered. */
  readonly refused: boolean
}

/** Where an account's limits stand. */
export interface ShareState {
  /** All limits in force, those per minute first. */
  readonly limits: readonly LimitInForce[]
  /** Which of them the last request that was refused here waited for; `null`: none, or that was over long ago. */
  readonly bound: LimitInForce | null
  /** When asking again makes sense, as UTC ms; `null`: now. */
  readonly untilMs: number | null
  /** Taken and not ended: what is on its way. */
  readonly inFlight: Demand
}

export interface LimitInForce {
  readonly kind: LimitKind
  readonly limit: number
  readonly windowMs: number
  /** `given` by a spec · `said` by the provider · `found` from its refusals. */
  readonly source: 'given' | 'said' | 'found'
}
