/**
 * The limit of a provider that never tells it, found from its refusals: requests a minute. Between two moments at which its bucket was empty
 * exactly the limit was let in, so two refusals that lie apart measure it; until then it is searched, and after that it is felt for, slowly at
 * first and ever faster while nothing is refused. Pure; times are ms of any clock that does not go back.
 */
export interface Found {
  /** Requests a minute; `null`: nothing has been refused yet that a limit must explain. */
  readonly limit: number | null
  readonly searching: boolean
  /** When the count below began: the first request, or the last time that the provider's bucket was seen empty. */
  readonly sinceMs: number
  /** When a refusal was last heeded. */
  readonly cutAtMs: number
  /** Let in since then. */
  readonly admitted: number
  /** Refusals without a request let in between. */
  readonly run: number
  /** Refusals before those, since the count began. */
  readonly single: number
  /** When the limit last grew. */
  readonly grownAtMs: number
  /** By how much it grows in the first minute without a refusal; as much as the last measurement may be off by. */
  readonly feel: number
  /** Cuts after which there were refusals again at once. */
  readonly inVain: number
  /** Until then only a long run of refusals is taken for a limit: cuts were all in vain. */
  readonly mutedUntilMs: number
}

const MINUTE_MS = 60_000
/** Single refusals among answers are no limit; these many in a row are. */
const RUN = 3
const SURE_RUN = 8
/** A run is no chance when so many refusals in a row were as unlikely as this, by the share of refusals before it. */
const CHANCE = 1e-5
/** Requests that were let in before the first one was sent: a share of a few is no share. */
const BENEFIT = 20
/** Counted over less than this, the rate says little. */
const SPAN_MS = 5_000
/** The search doubles in four seconds. */
const SEARCH_PER_MS = Math.LN2 / 4_000
/** What was measured is kept to, but for this much. */
const MARGIN = 0.99
/** Feeling for more: at least so much in the first minute without a refusal, twice as much in the next. */
const LEAST_FEEL = 0.005
/** By so many requests a measurement may be off, at both its ends together. */
const OFF_BY = 12
/** Refused again at once, the limit is lower than was thought. */
const CUTS: readonly number[] = [0.9, 0.8, 0.6, 0.5]
/** Of many who share a limit each cuts, and a cut takes its time to reach them all: small ones, and more of them before they count as in vain. */
const SHARED_CUTS: readonly number[] = new Array<number>(12).fill(0.9)
/** A provider that refuses at random, however fast it is asked, is not thought to have a limit for so long. */
const MUTED_MS = 60_000
/** How long a cut takes to show in what is sent. */
const SETTLE_MS = 700
const FAR = 0.2
const FAR_CUT = 0.7

const NEVER_IN_VAIN = { inVain: 0, mutedUntilMs: Number.NEGATIVE_INFINITY }

/** Nothing known, nothing sent. */
export function nothingFound(nowMs: number): Found {
  return {
    limit: null,
    searching: true,
    sinceMs: nowMs,
    cutAtMs: nowMs,
    admitted: 0,
    run: 0,
    single: 0,
    grownAtMs: nowMs,
    feel: 0,
    ...NEVER_IN_VAIN,
  }
}

/** After a request was let in. */
export function admitted(found: Found): Found {
  return { ...found, admitted: found.admitted + 1, run: 0, single: found.single + found.run }
}

/**
 * After a request that was sent at `sentAtMs` was refused, and nothing that the provider said explains it. One burst counts once: what was sent
 * before the last refusal that was heeded says nothing new. `isShared`: by several processes.
 */
export function refused(found: Found, sentAtMs: number, nowMs: number, isShared = false): Found {
  const run = found.run + 1
  const spanMs = nowMs - found.sinceMs
  if (found.limit === null) {
    const least = nowMs < found.mutedUntilMs ? SURE_RUN : runOf(found)
    if (run < least || found.admitted === 0) return { ...found, run }
    // A bucket that was full at first has given a minute's worth and what came in meanwhile.
    const first = (found.admitted * MINUTE_MS) / (MINUTE_MS + spanMs)
    const half = (found.admitted * MINUTE_MS) / Math.max(1000, spanMs) / 2
    return emptied(found, Math.max(1, run < SURE_RUN ? Math.max(first, half) : first), true, nowMs)
  }
  if (sentAtMs <= found.cutAtMs) return { ...found, run }
  const hasShown = sentAtMs > found.cutAtMs + SETTLE_MS
  const inVain = nowMs - found.cutAtMs < SPAN_MS ? found.inVain + Number(hasShown) : 0
  const cut = (isShared ? SHARED_CUTS : CUTS)[inVain]
  if (cut === undefined) return { ...nothingFound(nowMs), mutedUntilMs: nowMs + MUTED_MS }
  if (spanMs < SPAN_MS || found.admitted === 0) {
    // Too soon to measure: the count goes on.
    return { ...found, limit: Math.max(1, found.limit * cut), run: 0, cutAtMs: nowMs, grownAtMs: nowMs, inVain }
  }
  const measured = Math.max(1, (found.admitted * MINUTE_MS) / spanMs)
  // Far less than was asked for: an outage, or idleness, was measured rather than a limit.
  const far = measured < found.limit * FAR
  const limit = far ? Math.max(1, found.limit * FAR_CUT) : Math.min(found.limit, measured * MARGIN)
  return { ...emptied(found, limit, far, nowMs), inVain }
}

/** How many refusals in a row are no chance: a provider that turns away a fifth of all, however fast it is asked, has no limit that could be found. */
function runOf({ single, admitted: letIn }: Found): number {
  const share = (single + 1) / (single + letIn + BENEFIT)
  return Math.min(SURE_RUN, Math.max(RUN, Math.ceil(Math.log(CHANCE) / Math.log(share))))
}

function emptied(found: Found, limit: number, searching: boolean, nowMs: number): Found {
  const feel = Math.max(LEAST_FEEL, Math.min(1, OFF_BY / Math.max(1, found.admitted)))
  const times = { sinceMs: nowMs, cutAtMs: nowMs, grownAtMs: nowMs }
  return { ...NEVER_IN_VAIN, ...times, limit, searching, admitted: 0, run: 0, single: 0, feel }
}

/** What another has found, and was refused last at `cutAtMs`: it is searched or felt for as if it had been found here, and measured from now on. */
export function foundElsewhere(limit: number, searching: boolean, cutAtMs: number, nowMs: number): Found {
  // As after twenty seconds of measuring: for how long it was, nobody says.
  const feel = Math.max(LEAST_FEEL, Math.min(1, OFF_BY / Math.max(1, limit / 3)))
  const times = { sinceMs: nowMs, cutAtMs, grownAtMs: nowMs }
  return { ...NEVER_IN_VAIN, ...times, limit, searching, admitted: 0, run: 0, single: 0, feel }
}

/** The limit felt for at `nowMs`; it only grows while it is what holds (`isBinding`). */
export function grown(found: Found, isBinding: boolean, nowMs: number): Found {
  if (found.limit === null || nowMs <= found.grownAtMs) return found
  if (!isBinding) return { ...found, grownAtMs: nowMs }
  const passedMs = nowMs - found.grownAtMs
  if (found.searching) {
    return { ...found, limit: found.limit * Math.exp(SEARCH_PER_MS * passedMs), grownAtMs: nowMs }
  }
  const minutes = (nowMs - found.cutAtMs) / MINUTE_MS
  const perMs = (found.feel * 2 ** Math.min(8, Math.floor(minutes))) / MINUTE_MS
  return { ...found, limit: found.limit * (1 + perMs * passedMs), grownAtMs: nowMs }
}
