import type { Runtime } from '../runtime.ts'
import { createAccountLimits } from './account-limits.ts'
import { amountOf, type Demand, type GivenLimits, NO_LIMITS, smallest } from './demand.ts'
import { createFleetDraws } from './fleet-draws.ts'
import { type FleetLimits, GIVE_EACH_MS } from './fleet-limits.ts'
import { createFleetSpeed, type FleetSpeed } from './fleet-speed.ts'
import { createLearnedWords, fromFleet, toFleet } from './fleet-words.ts'
import type { LimitName } from './learned-limit.ts'
import type { Draw, LimitInForce, Seen, ShareState } from './share.ts'

/** One account's limits, as one process of a fleet draws on them. */
export interface FleetAccount {
  /** How fast its server is. */
  readonly speed: FleetSpeed
  take(demand: Demand): Draw | null
  limit(limits: GivenLimits): void
  state(): ShareState
  forgive(): void
  /**
   * Reads what the others have learned and drawn, says what this process stands by, and gives back what it does not use. Never rejects; `false`:
   * nobody has asked for the account for a while, and nothing needs to be read.
   */
  beat(): Promise<boolean>
  close(): void
}

interface FleetAccountOptions {
  readonly runtime: Runtime
  readonly name: string
  readonly fleet: FleetLimits
  /** Names this process to the others. */
  readonly by: string
  readonly onRoom: () => void
  /** What did not get through is tried again; this hears why it did not. */
  readonly onFailure: (error: unknown) => void
}

/** What was drawn is given back when nobody has asked for it for so long. */
const REST_AFTER_MS = 1_000
/** An account that nobody has spoken of for so long is left alone. */
const LEFT_AFTER_MS = 10_000
/** A limit that held something up is what binds for so long after. */
const BOUND_MS = 1_000
/** A limit that is larger by this than it was has changed, and is not just being felt for. */
const GROWN = 1.2

/** An account of which nothing has been read yet: until it has, nothing can be taken. */
export function createFleetAccount(options: FleetAccountOptions): FleetAccount {
  const { runtime, name, fleet, by, onRoom, onFailure } = options
  const limits = createAccountLimits(runtime.elapsed(), false)
  const draws = createFleetDraws({ runtime, account: name, limits, fleet, onRoom, onFailure })
  const words = createLearnedWords(limits, by)
  const speed = createFleetSpeed({ runtime, account: name, fleet, by })
  let isRead = false
  let given: GivenLimits = NO_LIMITS
  let givenElsewhere: GivenLimits = NO_LIMITS
  let saidGivenMs = Number.NEGATIVE_INFINITY
  let spokenOfMs = runtime.elapsed()
  let askedMs = Number.NEGATIVE_INFINITY
  /** What the last request that was refused here was held up by, and until when at the least. */
  let wait: { readonly limit: LimitInForce; readonly untilMs: number } | null = null
  let cancelWake: (() => void) | null = null
  let inForceBefore: readonly LimitInForce[] = []

  const inForce = (limit: LimitName) =>
    limits.inForce().find(({ kind, windowMs }) => kind === limit.kind && windowMs === limit.windowMs) ?? null
  const wakeAfter = (ms: number) => {
    cancelWake?.()
    cancelWake = runtime.after(Math.max(1, Math.ceil(ms)), () => {
      cancelWake = null
      onRoom()
    })
  }
  const heldUpBy = (limit: LimitInForce | null, untilMs: number) => {
    if (limit !== null) wait = { limit, untilMs }
    return null
  }
  const tellNews = async () => {
    const news = words.news()
    if (news.length === 0) return
    await fleet.learn(name, news, by).catch((error: unknown) => {
      words.unsaid()
      onFailure(error)
    })
  }
  const applyGiven = () => limits.give(smallest(given, givenElsewhere), runtime.elapsed())
  const sayGiven = async (nowMs: number) => {
    if (nowMs - saidGivenMs < GIVE_EACH_MS) return
    await fleet.give(name, toFleet(given))
    saidGivenMs = nowMs
  }
  /** What waits for a limit that has grown meanwhile need not wait for so long. */
  const noteGrowth = () => {
    const now = limits.inForce()
    const limitOf = ({ kind, windowMs }: LimitName) =>
      now.find((one) => one.kind === kind && one.windowMs === windowMs)?.limit ?? Number.POSITIVE_INFINITY
    if (inForceBefore.some((before) => limitOf(before) > before.limit * GROWN)) draws.askAnew(false)
    inForceBefore = now
  }
  const read = async () => {
    const known = await fleet.known(name)
    words.hear(known, runtime.elapsed())
    speed.hear(known)
    givenElsewhere = fromFleet(known)
    applyGiven()
    draws.read(known)
    noteGrowth()
    if (isRead) return
    isRead = true
    onRoom()
  }

  return Object.freeze({
    speed,
    take(demand: Demand) {
      const nowMs = runtime.elapsed()
      spokenOfMs = askedMs = nowMs
      if (!isRead) return null
      const held = limits.waitFor(demand, nowMs)
      if (held !== null) {
        wakeAfter(held.ms)
        return heldUpBy(held.limit, nowMs + held.ms)
      }
      const prices = limits.prices(nowMs)
      const lacking = draws.permits.lacking(prices, demand)
      if (lacking !== null) {
        limits.heldUp(lacking)
        draws.ask(demand)
        return heldUpBy(inForce(lacking), nowMs)
      }
      draws.permits.take(prices, demand, nowMs)
      const taken = limits.draw(demand, nowMs)
      if (prices.length > 0) draws.askForNext()
      return drawOf((used, seen) => {
        limits.end(taken, used, seen, runtime.elapsed())
        for (const limit of prices) {
          const { kind } = limit
          draws.permits.put(limit, amountOf(kind, demand) - (used === null ? 0 : amountOf(kind, used)))
        }
        if (seen !== null) void tellNews()
      })
    },
    limit(next: GivenLimits) {
      spokenOfMs = runtime.elapsed()
      if (isSame(next, given)) return
      given = next
      saidGivenMs = Number.NEGATIVE_INFINITY
      applyGiven()
    },
    state(): ShareState {
      const nowMs = runtime.elapsed()
      const untilMs = Math.max(wait?.untilMs ?? Number.NEGATIVE_INFINITY, draws.untilMs ?? Number.NEGATIVE_INFINITY)
      const bound = wait !== null && nowMs < untilMs + BOUND_MS ? wait.limit : null
      return {
        limits: limits.inForce(),
        bound,
        untilMs: bound !== null && nowMs < untilMs ? runtime.now() + untilMs - nowMs : null,
        inFlight: limits.inFlight,
      }
    },
    forgive() {
      limits.forgive(runtime.elapsed())
      wait = null
      draws.askAnew(true)
    },
    async beat() {
      const nowMs = runtime.elapsed()
      if (nowMs - spokenOfMs > LEFT_AFTER_MS) return false
      if (nowMs - askedMs > REST_AFTER_MS) draws.rest()
      try {
        await sayGiven(nowMs)
        await read()
        await tellNews()
        await speed.tell()
      } catch (error) {
        onFailure(error)
      }
      return true
    },
    close() {
      cancelWake?.()
      draws.close()
    },
  })
}

function isSame(a: GivenLimits, b: GivenLimits): boolean {
  return Object.entries(a).every(([name, limit]) => limit === b[name as keyof GivenLimits])
}

/** What was taken, ended once. */
function drawOf(end: (used: Demand | null, seen: Seen | null) => void): Draw {
  let ended = false
  return {
    end(used, seen) {
      if (ended) throw new Error('what was taken was ended twice')
      ended = true
      end(used, seen)
    },
  }
}
