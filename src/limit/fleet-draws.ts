import type { Runtime } from '../runtime.ts'
import type { AccountLimits } from './account-limits.ts'
import { BURST_MS, isPaced } from './bucket.ts'
import { type Demand, MINUTE_MS } from './demand.ts'
import type { FleetCount, FleetDraw, FleetLimits } from './fleet-limits.ts'
import { named } from './fleet-words.ts'
import type { LimitName, Price } from './learned-limit.ts'
import { createPermits, type Permits, type Wanted } from './permits.ts'

/** The draws of one process on one account: one at a time, for all who wait in it. */
export interface FleetDraws {
  readonly permits: Permits
  /** Draws what `demand` needs, unless a draw is under way. Whoever was told no hears by `onRoom` when it makes sense to ask again. */
  ask(demand: Demand): void
  /** Draws ahead for what likely comes next, unless enough is there, or somebody asks for what really comes before this turn ends. */
  askForNext(): void
  /** Gives back what was drawn and not used. */
  rest(): void
  /** Gives a draw back that is waited for long, and asks again: the limit may have grown. `evenOthers`: what others drew over longer windows, too. */
  askAnew(evenOthers: boolean): void
  /** When what is drawn may be used, as far as is known, in the runtime's elapsed ms; `null`: nothing is waited for. */
  readonly untilMs: number | null
  /** Counts what others have drawn, by a reading of everybody's draws; not while a statement is under way, which it may or may not hold. */
  read(counts: readonly FleetCount[]): void
  close(): void
}

interface FleetDrawsOptions {
  readonly runtime: Runtime
  readonly account: string
  readonly limits: AccountLimits
  readonly fleet: FleetLimits
  /** Hears when something was drawn that may be used now. */
  readonly onRoom: () => void
  readonly onFailure: (error: unknown) => void
}

type PricedDraw = FleetDraw & LimitName

/** Drawn, and to be used once its time has come. */
interface Pending {
  readonly draws: readonly PricedDraw[]
  readonly untilMs: number
  readonly cancel: () => void
}

/** A wait that is longer than this may be for a limit that has changed since. */
const LONG_WAIT_MS = 1_000
/** A fleet's place that is away is asked again after so long, and a little more drawn at random. */
const RETRY_MS = 250
/** Two readings that lie further apart than this are not compared. */
const READ_AGAIN_MS = 5_000

/** Draws nothing before it is asked. */
export function createFleetDraws(options: FleetDrawsOptions): FleetDraws {
  const { runtime, account, limits, fleet, onRoom } = options
  const permits = createPermits()
  const own = createOwnCount(() => runtime.elapsed())
  /** At most one of them: a statement under way, a draw whose time has not come, a pause after a statement that failed. */
  let busy: 'asking' | 'waiting' | 'pausing' | null = null
  /** Somebody was told no while a statement was under way. */
  let isWanted = false
  let pending: Pending | null = null
  let untilMs: number | null = null
  let cancelPause: (() => void) | null = null
  let cancelNext: (() => void) | null = null

  /** One statement, and what follows it; `null`: it failed. */
  const send = async (draws: readonly PricedDraw[], then: (waitMs: number | null) => void) => {
    busy = 'asking'
    const waitMs = await statement(draws)
    busy = null
    if (isClosed()) return
    then(waitMs)
    if (busy === null && isWanted) onRoom()
    isWanted = false
  }
  const statement = async (draws: readonly PricedDraw[]): Promise<number | null> => {
    try {
      const { waitMs, drawn } = await fleet.draw(account, draws)
      for (const draw of draws) own.drew(draw, draw.amount)
      count(drawn)
      return waitMs
    } catch (error) {
      options.onFailure(error)
      return null
    }
  }
  const count = (counts: readonly FleetCount[]) => {
    own.read(named(counts), (limit, others) => limits.countOthers(limit, others, runtime.elapsed()))
  }
  const arrive = (draws: readonly PricedDraw[]) => {
    pending = null
    busy = null
    untilMs = null
    for (const draw of draws) permits.put(draw, draw.amount)
    onRoom()
  }
  const pause = () => {
    const forMs = RETRY_MS * (1 + runtime.random())
    busy = 'pausing'
    untilMs = runtime.elapsed() + forMs
    cancelPause = runtime.after(forMs, () => {
      busy = null
      untilMs = null
      onRoom()
    })
  }
  const draw = (wanted: readonly Wanted<Price>[]) => {
    const draws = wanted.map(drawOf)
    untilMs = runtime.elapsed() + likelyWaitMs(draws)
    void send(draws, (waitMs) => {
      if (waitMs === null) return pause()
      if (waitMs <= 0) return arrive(draws)
      busy = 'waiting'
      const cancel = runtime.after(Math.ceil(waitMs), () => arrive(draws))
      untilMs = runtime.elapsed() + waitMs
      pending = { draws, untilMs, cancel }
    })
  }
  const ask = (demand: Demand | null) => {
    if (busy !== null) return
    const nowMs = runtime.elapsed()
    const wanted = permits.wanted(limits.prices(nowMs), demand, nowMs)
    if (wanted.length > 0) draw(wanted)
  }
  let closed = false
  const isClosed = () => closed

  return Object.freeze({
    permits,
    ask(demand: Demand) {
      isWanted = true
      ask(demand)
    },
    askForNext() {
      cancelNext ??= runtime.after(1, () => {
        cancelNext = null
        ask(null)
      })
    },
    rest() {
      if (busy !== null) return
      const wanted = permits.rest(limits.prices(runtime.elapsed()))
      if (wanted.length > 0) void send(wanted.map(drawOf), () => undefined)
    },
    askAnew(evenOthers: boolean) {
      const waitMs = pending === null ? 0 : pending.untilMs - runtime.elapsed()
      if (pending === null || waitMs < LONG_WAIT_MS) return
      pending.cancel()
      const back = pending.draws.map((one) => givenBack(one, evenOthers ? waitMs : 0))
      pending = null
      untilMs = null
      void send(back, onRoom)
    },
    get untilMs() {
      return untilMs
    },
    read(counts: readonly FleetCount[]) {
      if (busy !== 'asking') count(counts)
    },
    close() {
      closed = true
      for (const cancel of [pending?.cancel, cancelPause, cancelNext]) cancel?.()
    },
  })
}

/** What one limit is drawn on for. After a rest one draw may go at once, or half a second's worth; what counts over a day may all be used at once. */
function drawOf({ limit, amount }: Wanted<Price>): PricedDraw {
  const { kind, windowMs, msPerUnit } = limit
  // What is larger than a whole limit takes a whole window.
  const costUs = Math.min(windowMs * 1000, Math.ceil(amount * msPerUnit * 1000))
  const creditUs = isPaced(limit) ? Math.max(BURST_MS * 1000, costUs) : windowMs * 1000
  return { kind, windowMs, amount, costUs, creditUs }
}

/** Until the answer is here: as if the fleet were just at its limit. */
function likelyWaitMs(draws: readonly PricedDraw[]): number {
  return Math.max(1, ...draws.filter(isPaced).map(({ costUs }) => costUs / 1000))
}

/** The same, given back. `waitMs`: where nothing of a limit over more than a minute would be had for so long, all of it is there again. */
function givenBack(draw: PricedDraw, waitMs: number): PricedDraw {
  const more = waitMs > 0 && draw.windowMs > MINUTE_MS ? Math.ceil(waitMs + draw.windowMs) * 1000 : draw.costUs
  return { ...draw, amount: -draw.amount, costUs: -Math.max(more, draw.costUs) }
}

/** Tells one's own draws from those of others in what everybody has drawn. */
function createOwnCount(elapsedMs: () => number) {
  const drawn = new Map<string, number>()
  const others = new Map<string, { readonly amount: number; readonly atMs: number }>()
  const keyOf = ({ kind, windowMs }: LimitName) => `${kind}/${windowMs}`
  return {
    drew(limit: LimitName, amount: number) {
      drawn.set(keyOf(limit), (drawn.get(keyOf(limit)) ?? 0) + amount)
    },
    /** What others have drawn since the last reading. The first says nothing, nor does one so long after it that most of it has come back since. */
    read(counts: readonly (FleetCount & LimitName)[], each: (limit: LimitName, amount: number) => void) {
      for (const { kind, windowMs, drawn: total } of counts) {
        const key = keyOf({ kind, windowMs })
        const before = others.get(key)
        const now = { amount: total - (drawn.get(key) ?? 0), atMs: elapsedMs() }
        others.set(key, now)
        const isRecent = before !== undefined && now.atMs - before.atMs < READ_AGAIN_MS
        if (isRecent && before.amount !== now.amount) each({ kind, windowMs }, now.amount - before.amount)
      }
    },
  }
}
