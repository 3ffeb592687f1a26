/**
 * What the workers of a fleet keep together of their accounts' limits, in a place that all of them reach: the store's role `limits`, joined in the
 * composition root. Every verb may reject when that place is away.
 */
export interface FleetLimits {
  /** Draws on several limits at once, for later where it is not there yet. */
  draw(account: string, draws: readonly FleetDraw[]): Promise<FleetDrawn>
  give(account: string, limits: readonly FleetLimit[]): Promise<void>
  learn(account: string, limits: readonly (FleetLimit & { readonly how: string })[], by: string): Promise<void>
  known(account: string): Promise<readonly FleetKnown[]>
}

interface LimitOf {
  readonly kind: string
  readonly windowMs: number
}

/** A limit, per window. */
export interface FleetLimit extends LimitOf {
  readonly limit: number
}

/** What is taken of one limit, in its own count and in microseconds of its time; less than 0 gives back. */
export interface FleetDraw extends LimitOf {
  readonly amount: number
  readonly costUs: number
  /** How far back unused time counts. */
  readonly creditUs: number
}

/** After how many ms what was drawn may be used, and how much all workers have drawn so far. */
export interface FleetDrawn {
  readonly waitMs: number
  readonly drawn: readonly FleetCount[]
}

/** All that was ever drawn of one limit, by everybody. */
export interface FleetCount extends LimitOf {
  readonly drawn: number
}

/** What is known of one limit: the smallest that a job gives now, and what was last learned of the provider, by whom, when, and how long ago. */
export interface FleetKnown extends FleetCount {
  readonly given: number | null
  readonly learned: {
    readonly limit: number
    readonly how: string
    readonly by: string
    readonly atMs: number
    readonly agoMs: number
  } | null
}

/** Long after the fleet's clock counts a limit as given, a job would have said it again: each says it this often. */
export const GIVE_EACH_MS = 3_000
