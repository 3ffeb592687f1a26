import { amountOf, type Demand } from './demand.ts'
import type { LimitName } from './learned-limit.ts'

/**
 * What one process has drawn of an account's limits, and not used yet: for each limit a small stock, and how fast it goes. Kept small, so that little
 * is lost with a process that dies: what is asked for next, and what goes in the tenth of a second after it. Has no clock.
 */
export interface Permits {
  /** The first of these limits of which there is not enough; `null`: there is. */
  lacking<L extends LimitName>(limits: readonly L[], demand: Demand): L | null
  take(limits: readonly LimitName[], demand: Demand, nowMs: number): void
  /** Puts into the stock what was drawn, or was taken and not used. */
  put(limit: LimitName, amount: number): void
  /** What to draw, so that `demand` can be taken, or, without one, whatever comes next; nothing while enough is there. Whole numbers. */
  wanted<L extends LimitName>(limits: readonly L[], demand: Demand | null, nowMs: number): readonly Wanted<L>[]
  /** Empties the stock; what was in it is to be given back. What is less than one stays. */
  rest<L extends LimitName>(limits: readonly L[]): readonly Wanted<L>[]
}

export interface Wanted<L extends LimitName> {
  readonly limit: L
  /** Less than 0: to be given back. */
  readonly amount: number
}

interface Stock {
  amount: number
  /** What one request takes, most lately. */
  typical: number
  /** Taken per ms, over the last second or so. */
  rate: number
  atMs: number
  /** Of the slices so far, what was less than one. */
  carried: number
}

/** A draw brings what goes in so long: fewer statements where much is sent, and not much to lose. */
const SLICE_MS = 100
const RATE_OVER_MS = 1_000

/** A process that has drawn nothing. */
export function createPermits(): Permits {
  const stocks = new Map<string, Stock>()
  const of = ({ kind, windowMs }: LimitName): Stock => {
    const key = `${kind}/${windowMs}`
    const known = stocks.get(key)
    if (known !== undefined) return known
    const stock = { amount: 0, typical: 0, rate: 0, atMs: 0, carried: 0 }
    stocks.set(key, stock)
    return stock
  }
  const rateAt = ({ rate, atMs }: Stock, nowMs: number) => rate * Math.exp((atMs - nowMs) / RATE_OVER_MS)

  return Object.freeze({
    lacking<L extends LimitName>(limits: readonly L[], demand: Demand) {
      return limits.find((limit) => of(limit).amount < amountOf(limit.kind, demand)) ?? null
    },
    take(limits: readonly LimitName[], demand: Demand, nowMs: number) {
      for (const limit of limits) {
        const stock = of(limit)
        const amount = amountOf(limit.kind, demand)
        stock.rate = rateAt(stock, nowMs) + amount / RATE_OVER_MS
        stock.atMs = nowMs
        stock.amount -= amount
        stock.typical = amount
      }
    },
    put(limit: LimitName, amount: number) {
      of(limit).amount += amount
    },
    wanted<L extends LimitName>(limits: readonly L[], demand: Demand | null, nowMs: number) {
      const each = limits.map((limit) => {
        const stock = of(limit)
        const slice = rateAt(stock, nowMs) * SLICE_MS
        const next = demand === null ? stock.typical : amountOf(limit.kind, demand)
        const isLow = stock.amount < (demand === null ? next + slice / 2 : next)
        return { limit, isLow, next, slice, most: 2 * (next + slice) }
      })
      if (!each.some(({ isLow }) => isLow)) return []
      const wanted = each.map(({ limit, next, slice, most }) => {
        const stock = of(limit)
        // Of a slice that is less than one, one now and then: all who draw are served alike.
        stock.carried += slice
        const whole = Math.floor(stock.carried)
        stock.carried -= whole
        return { limit, most, amount: Math.ceil(next - stock.amount) + whole }
      })
      // What came back, for being less than was thought, is not hoarded.
      return wanted.filter(({ amount, most }) => amount > 0 || -amount > most)
    },
    rest<L extends LimitName>(limits: readonly L[]) {
      return limits.flatMap((limit) => {
        const stock = of(limit)
        const amount = Math.trunc(stock.amount)
        stock.amount -= amount
        stock.typical = 0
        return amount === 0 ? [] : [{ limit, amount: -amount }]
      })
    },
  })
}
