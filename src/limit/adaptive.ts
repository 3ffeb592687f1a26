import type { Cause } from '../domain/failure.ts'
import type { Runtime } from '../runtime.ts'
import { backoffMs } from './backoff.ts'
import {
  type Breaker,
  CLOSED,
  downFor,
  failed,
  isRefusing,
  OUTAGE_PATIENCE_MS,
  REFUSAL_PATIENCE_MS,
  speaksOfOutage,
} from './breaker.ts'
import type { Demand } from './demand.ts'
import { createEstimator, type RequestSize } from './estimate.ts'
import { isFlexAccount, limitedAccount } from './flex-account.ts'
import type { Ceiling, Down, Governor, GovernorState, Slot, SlotResult } from './governor.ts'
import { answered, cameBack, type Load, pushedBack, startLoad, withMaxLoad } from './load.ts'
import type { Draw, LimitInForce, Share } from './share.ts'

interface Account {
  readonly name: string
  /** The account whose limits it draws on; most often itself. */
  readonly limited: string
  load: Load
  breaker: Breaker
  inFlight: number
  hold: Hold | null
  /** Push-backs without an answer between them: they lengthen the hold. */
  pushBacks: number
  cancelWake: (() => void) | null
}

/** Nothing is sent before its time. */
interface Hold {
  readonly untilMs: number
  readonly cause: Cause
  /** The provider named the time. */
  readonly asked: boolean
}

/** When a request was sent, and how many were in flight then, itself among them. */
interface Sending {
  readonly sentAtMs: number
  readonly ahead: number
}

const PUSH_BACK: ReadonlySet<Cause> = new Set<Cause>(['rate_limited', 'overloaded'])
const OUTAGE_SIGNS: ReadonlySet<Cause> = new Set<Cause>([
  'rate_limited',
  'overloaded',
  'connection',
  'timeout',
  'provider_error',
])

/** How long a push-back without a time holds an account. */
const HOLD = Object.freeze({ baseMs: 500, capMs: 15_000 })
/** How long an outage waits between two probes at the most. */
const PROBE_CAP_MS = 15_000
/** A wait that is longer than this is not sat out: the job pauses and says so. */
const LONG_WAIT_MS = 120_000

export interface GovernorOptions {
  readonly runtime: Runtime
  readonly share: Share
  readonly defaultMax: number
  /** Hears when the provider has asked to wait, or an outage is waited out. */
  readonly onHold?: (account: string, untilMs: number, cause: Cause) => void
  /** Hears whenever a request has to wait for a limit. */
  readonly onBound?: (account: string, limit: LimitInForce, untilMs: number) => void
  readonly onChange?: (account: string, concurrency: number, reason: string) => void
}

/**
 * A governor over a share of the accounts' limits. What it adds to them: adaptive concurrency per account; a push-back holds the whole account
 * until the provider's Retry-After (or a growing, jittered wait) has passed; an outage lets through one probe at a time.
 */
export function createAdaptiveGovernor(options: GovernorOptions): Governor {
  const { runtime, share } = options
  const accounts = new Map<string, Account>()
  const listeners = new Set<(account: string) => void>()
  const estimator = createEstimator()
  const of = (name: string): Account => {
    const known = accounts.get(name)
    if (known !== undefined) return known
    const rest = { breaker: CLOSED, inFlight: 0, hold: null, pushBacks: 0, cancelWake: null }
    const account: Account = { name, limited: limitedAccount(name), load: startLoad(options.defaultMax), ...rest }
    accounts.set(name, account)
    return account
  }
  const announce = (name: string) => {
    for (const listener of [...listeners]) listener(name)
  }
  const hold = (account: Account, next: Hold) => {
    if (account.hold !== null && account.hold.untilMs >= next.untilMs) return
    account.hold = next
    account.cancelWake?.()
    account.cancelWake = runtime.after(Math.max(1, next.untilMs - runtime.now()), () => letGo(account))
    options.onHold?.(account.name, next.untilMs, next.cause)
  }
  const letGo = (account: Account) => {
    account.cancelWake?.()
    account.cancelWake = null
    account.hold = null
    announce(account.name)
  }
  const holdForOutage = (account: Account, cause: Cause, retryAfterMs: number | null, now: number) => {
    const { refusalsInARow, failuresInARow } = account.breaker
    const turn = Math.max(1, refusalsInARow > 0 ? refusalsInARow - 3 : failuresInARow - 12)
    const backoff = backoffMs(turn, 0.5 + runtime.random() / 2, null, { baseMs: 500, capMs: PROBE_CAP_MS })
    hold(account, { untilMs: now + Math.max(backoff, retryAfterMs ?? 0), cause, asked: retryAfterMs !== null })
  }
  const pushBack = (account: Account, cause: Cause, retryAfterMs: number | null, sentAtMs: number, now: number) => {
    // Flex is refused now and then however little is in flight: such a row waits by itself.
    const isStray = isFlexAccount(account.name) && cause === 'overloaded' && !isRefusing(account.breaker)
    if (isStray && retryAfterMs === null) return
    // A limit that is known says how fast to send: how many are in flight has nothing to do with it.
    const isPaced =
      cause === 'rate_limited' && share.state(account.limited).limits.some(({ source }) => source !== 'given')
    const cutAt = account.load.concurrency.cutAtMs
    if (!isPaced && !account.breaker.open) account.load = pushedBack(account.load, sentAtMs, now)
    if (isPaced || account.load.concurrency.cutAtMs !== cutAt) account.pushBacks += 1
    const wait = backoffMs(account.pushBacks, runtime.random(), retryAfterMs, HOLD)
    hold(account, { untilMs: now + wait, cause, asked: retryAfterMs !== null })
  }
  const learn = (account: Account, sent: Sending, { cause, retryAfterMs, latencyMs }: SlotResult) => {
    const now = runtime.now()
    const before = account.load.concurrency.limit
    const wasOpen = account.breaker.open
    account.breaker = cause !== null && OUTAGE_SIGNS.has(cause) ? failed(account.breaker, cause, now) : CLOSED
    if (wasOpen && !account.breaker.open) account.load = cameBack(account.load)
    if (cause === null) {
      account.pushBacks = 0
      const answer = { ...sent, tookMs: latencyMs, inFlight: account.inFlight }
      const { measured } = account.load
      account.load = answered(account.load, answer, now, share.unsaturatedMs(account.name))
      const news = account.load.measured
      if (news !== null && news !== measured) share.measured(account.name, news.ms, news.byAll)
    } else if (PUSH_BACK.has(cause)) {
      pushBack(account, cause, retryAfterMs, sent.sentAtMs, now)
    }
    if (account.breaker.open && cause !== null) holdForOutage(account, cause, retryAfterMs, now)
    const { limit } = account.load.concurrency
    if (limit !== before) options.onChange?.(account.name, limit, cause ?? 'answered')
  }
  const slotOf = (account: Account, size: RequestSize, demand: Demand, draw: Draw): Slot => {
    account.inFlight += 1
    const ahead = account.inFlight
    const sentAtMs = runtime.now()
    let released = false
    return {
      release(result: SlotResult) {
        if (released) throw new Error('a slot was released twice')
        released = true
        const { cause, usage, limits } = result
        const isSent = cause !== 'cancelled'
        const refused = cause === 'rate_limited'
        draw.end(isSent ? usedOf(demand, result) : null, isSent ? { signal: limits, refused } : null)
        if (cause === null && usage !== null) estimator.learn(size, usage)
        if (isSent) learn(account, { sentAtMs, ahead }, result)
        account.inFlight -= 1
        announce(account.name)
        return { outage: speaksOfOutage(account.breaker) }
      },
    }
  }
  const stopListening = share.onRoom((limited) => {
    for (const account of [...accounts.values()]) if (account.limited === limited) announce(account.name)
  })

  return Object.freeze({
    take(name: string, size: RequestSize): Slot | null {
      const account = of(name)
      if (account.hold !== null) return null
      if (account.inFlight >= (account.breaker.open ? 1 : account.load.concurrency.limit)) return null
      const demand = estimator.estimate(size)
      const draw = share.take(account.limited, demand)
      if (draw !== null) return slotOf(account, size, demand, draw)
      const { bound, untilMs } = share.state(account.limited)
      if (bound !== null) options.onBound?.(name, bound, untilMs ?? runtime.now())
      return null
    },
    bound(name: string, { concurrency, limits }: Ceiling) {
      const account = of(name)
      share.limit(account.limited, limits)
      if (account.load.concurrency.max === concurrency) return
      account.load = withMaxLoad(account.load, concurrency)
      announce(name)
    },
    state(name: string): GovernorState {
      const account = of(name)
      const { limits, bound } = share.state(account.limited)
      return {
        inFlight: account.inFlight,
        concurrency: account.load.concurrency.limit,
        heldUntilMs: account.hold?.untilMs ?? null,
        heldFor: account.hold?.cause ?? null,
        outage: account.breaker.open,
        down: downOf(account, share, runtime.now()),
        limits,
        bound,
      }
    },
    forgiveOutage(name: string) {
      const account = of(name)
      account.breaker = CLOSED
      share.forgive(account.limited)
      if (account.hold !== null && account.hold.untilMs - runtime.now() > LONG_WAIT_MS) letGo(account)
    },
    onRoom(listener: (account: string) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close() {
      stopListening()
      for (const account of accounts.values()) account.cancelWake?.()
    },
  })
}

/** What a request took of the limits, as far as the provider said: what it turned away has no tokens, what it left open is what was thought. */
function usedOf(demand: Demand, { cause, usage }: SlotResult): Demand {
  if (usage !== null) return { requests: 1, inputTokens: usage.inputTokens, outputTokens: usage.outputTokens }
  return cause !== null && PUSH_BACK.has(cause) ? { requests: 1, inputTokens: 0, outputTokens: 0 } : demand
}

/** Nobody is waited for that is still on the way: what it brings may be an answer. */
function downOf({ name, limited, inFlight, hold, breaker }: Account, share: Share, nowMs: number): Down | null {
  if (inFlight > 0) return null
  const { bound, untilMs } = share.state(limited)
  const limitMs = untilMs === null ? 0 : untilMs - nowMs
  const heldMs = hold === null ? 0 : hold.untilMs - nowMs
  const forMs = breaker.sinceMs === null ? 0 : nowMs - breaker.sinceMs
  if (limitMs > LONG_WAIT_MS) return { cause: null, forMs, waitMs: limitMs, limit: bound }
  if (hold?.asked === true && heldMs > LONG_WAIT_MS) return { cause: hold.cause, forMs, waitMs: heldMs, limit: bound }
  // A wait that the provider named, and that is not too long, is sat out.
  if (hold?.asked === true && heldMs > PROBE_CAP_MS) return null
  const outMs = downFor(breaker, nowMs, isFlexAccount(name) ? OUTAGE_PATIENCE_MS : REFUSAL_PATIENCE_MS)
  return outMs === null ? null : { cause: breaker.cause, forMs: outMs, waitMs: null, limit: null }
}
