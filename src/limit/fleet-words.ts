import type { AccountLimits } from './account-limits.ts'
import { GIVEN_LIMITS, type GivenLimits, type LimitKind, NO_LIMITS } from './demand.ts'
import type { FleetKnown, FleetLimit } from './fleet-limits.ts'
import type { Learned, LimitName } from './learned-limit.ts'

/** A limit that refusals showed, and nobody has met since, says nothing after so long. */
const FOUND_FOR_MS = 600_000

/** The given limits as a fleet keeps them. */
export function toFleet(given: GivenLimits): readonly FleetLimit[] {
  return GIVEN_NAMES.flatMap((name) => {
    const limit = given[name]
    return limit === null ? [] : [{ ...GIVEN_LIMITS[name], limit }]
  })
}

/** What the jobs of a whole fleet give. */
export function fromFleet(known: readonly FleetKnown[]): GivenLimits {
  const given: { -readonly [name in keyof GivenLimits]: number | null } = { ...NO_LIMITS }
  for (const name of GIVEN_NAMES) {
    const { kind, windowMs } = GIVEN_LIMITS[name]
    given[name] = known.find((one) => one.kind === kind && one.windowMs === windowMs)?.given ?? null
  }
  return given
}

const GIVEN_NAMES = Object.keys(GIVEN_LIMITS) as (keyof GivenLimits)[]

const KINDS: ReadonlySet<string> = new Set<LimitKind>(['requests', 'tokens', 'inputTokens', 'outputTokens'])

/** Those of the limits that this version knows; a newer one may count something else. */
export function named<T extends { readonly kind: string; readonly windowMs: number }>(
  limits: readonly T[],
): readonly (T & LimitName)[] {
  return limits.filter((limit): limit is T & LimitName => KINDS.has(limit.kind))
}

/** What the workers of a fleet learn of one account from each other: the latest word counts, whoever said it. */
export interface LearnedWords {
  /** What was learned here and nobody has been told. */
  news(): readonly (FleetLimit & { readonly how: string })[]
  /** The news did not get through: they are news again. */
  unsaid(): void
  /** Takes over what others have learned since the last time. */
  hear(known: readonly FleetKnown[], nowMs: number): void
}

/** What is found grows while it is felt for: that is worth a word when it has grown by so much. */
const GROWN = 1.01

/** `by` names this process among those who learn. */
export function createLearnedWords(limits: AccountLimits, by: string): LearnedWords {
  /** The last word on each limit, said or heard. */
  const last = new Map<string, Learned>()
  const heard = new Map<string, number>()
  const newsOf = (learned: Learned): readonly Learned[] => {
    const before = last.get(keyOf(learned))
    if (before === undefined || before.how === 'said' || learned.how === 'said') {
      return before?.how === learned.how && before.limit === learned.limit ? [] : [learned]
    }
    if (before.sinceMs !== learned.sinceMs) return [learned]
    return learned.how === 'found' && learned.limit > before.limit * GROWN ? [{ ...learned, how: 'grown' }] : []
  }
  return Object.freeze({
    news() {
      const news = inForce(limits.learned()).flatMap(newsOf)
      for (const learned of news) last.set(keyOf(learned), learned)
      return news.map(({ kind, windowMs, how, limit }) => ({
        kind,
        windowMs,
        how,
        limit: Math.max(1, Math.round(limit)),
      }))
    },
    unsaid: () => last.clear(),
    hear(known: readonly FleetKnown[], nowMs: number) {
      for (const { kind, windowMs, learned } of named(known)) {
        const key = keyOf({ kind, windowMs })
        if (learned === null || learned.by === by || heard.get(key) === learned.atMs) continue
        heard.set(key, learned.atMs)
        const { how, limit, agoMs } = learned
        if (!isHow(how) || (how !== 'said' && agoMs > FOUND_FOR_MS)) continue
        limits.takeOver({ kind, windowMs, how, limit, sinceMs: nowMs - agoMs }, nowMs)
        const own = inForce(limits.learned()).find((one) => keyOf(one) === key)
        if (own !== undefined) last.set(key, own)
      }
    },
  })
}

/** One word for each limit: what the provider says outright counts for more than what its refusals seemed to say. */
function inForce(learned: readonly Learned[]): readonly Learned[] {
  const said = new Set(learned.filter(({ how }) => how === 'said').map(keyOf))
  return learned.filter((one) => one.how === 'said' || !said.has(keyOf(one)))
}

function keyOf({ kind, windowMs }: LimitName): string {
  return `${kind}/${windowMs}`
}

function isHow(how: string): how is Learned['how'] {
  return how === 'said' || how === 'sought' || how === 'found' || how === 'grown'
}
