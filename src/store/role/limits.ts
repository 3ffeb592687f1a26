/** A limit that somebody gives counts for this long, by the database's clock: who stands by it says so again in time. */
export const GIVEN_FOR_MS = 10_000

/** Which of an account's limits: what it counts, and over which time. */
interface LimitOf {
  readonly kind: string
  readonly windowMs: number
}

/** What is taken of one of an account's limits. */
export interface LimitDraw extends LimitOf {
  /** In what the limit counts. Less than 0 gives back. */
  readonly amount: number
  /** The share of the window that it takes, in microseconds: of 600 a minute, one takes 100,000. Less than 0 gives back. */
  readonly costUs: number
  /** How long before now unused time begins to count: what may be drawn at once after a rest. */
  readonly creditUs: number
}

/** What came of a draw. */
export interface LimitsDrawn {
  /** After so many ms it may be used. */
  readonly waitMs: number
  /** All that everybody has drawn so far of each limit, this draw with it. */
  readonly drawn: readonly (LimitOf & { readonly drawn: number })[]
}

/** A limit that a job gives. */
export interface LimitGiven extends LimitOf {
  /** In one window. */
  readonly limit: number
}

/** A limit that the provider has told or shown; `how` is the learner's own word. */
export interface LimitLearned extends LimitGiven {
  readonly how: string
}

/** What the workers together know of one of an account's limits. */
export interface LimitKnown extends LimitOf {
  readonly drawn: number
  /** The smallest that a job gives; `null`: no job does, or none has said so for `GIVEN_FOR_MS`. */
  readonly given: number | null
  /** What was learned last; `null`: nothing. */
  readonly learned: {
    readonly limit: number
    readonly how: string
    readonly by: string
    readonly atMs: number
    readonly agoMs: number
  } | null
}

/**
 * The limits of provider accounts, shared by all who work on this database. Each verb is one statement of its own, which a crash of the database
 * server may undo together with those of its last second. Times are the database's.
 */
export interface Limits {
  /**
   * Draws on some of an account's limits at once and always gets it, for later where it is not there yet. Whoever draws after that waits longer,
   * so that in any time that passes not more is used than the limit, one credit and one draw; but nobody waits for others longer than a window.
   */
  draw(account: string, draws: readonly LimitDraw[]): Promise<LimitsDrawn>
  /** Says which limits a job gives. The smallest said within `GIVEN_FOR_MS` counts. */
  give(account: string, limits: readonly LimitGiven[]): Promise<void>
  /** Says what was learned of the provider's own limits; the latest word counts. */
  learn(account: string, limits: readonly LimitLearned[], by: string): Promise<void>
  /** All that is known of an account. */
  known(account: string): Promise<readonly LimitKnown[]>
}
