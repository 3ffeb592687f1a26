import type { Range } from '../domain/range.ts'
import type { Way, WayEstimate } from '../domain/route.ts'
import { shareBackWithin } from './turnaround.ts'

/** What the rows would use on one way. */
export interface WayFigures {
  /** `null`: no price is known. */
  readonly costNano: Range | null
  /** What it charges, in thousandths of the live price: what is compared where no price is known. */
  readonly permille: number
  /** `null`: nothing tells. */
  readonly ms: Range | null
  /** What `ms` rests on, for people. */
  readonly basis: string
}

/** How the rows could go. `null`: not at all. */
export interface Choices {
  readonly live: WayFigures & { readonly ms: Range }
  readonly flex: (WayFigures & { readonly ms: Range }) | null
  readonly batch:
    | (WayFigures & {
        /** How long the account's batches have taken, ms. */
        readonly past: readonly number[]
        /** How many times its queue must empty for all of the rows. */
        readonly waves: number
        /** How long a batch may take to end that is called back, ms. */
        readonly recallMs: number
      })
    | null
  /** Time until the deadline; `null`: there is none. */
  readonly leftMs: number | null
  readonly rows: number
}

/** The way that is to be taken, with what was compared. */
export interface Choice {
  readonly way: Way
  /** One sentence, for people. */
  readonly why: string
  /** The cheapest first. */
  readonly ways: readonly WayEstimate[]
}

/** What booking the last answers and ending a job of so many rows takes, ms: its results are written, and its report. */
export function closingMs(rows: number): number {
  return 10_000 + rows / 50
}

/** A way on which fewer rows are expected to end in time is not worth beginning. */
const LEAST_SHARE = 0.05

/** Ways whose costs differ by less are equally cheap, and then the fastest is taken. */
const SAME_COST = 0.01

interface Compared extends WayEstimate {
  /** What is expected of it, in nano-dollars or in thousandths of live. */
  readonly cost: number
}

/**
 * The cheapest way that keeps the deadline. Flex and batches can always be given up for live as long as there is time for that: so what counts is the
 * share of the rows that is expected to end before. A way that costs more than live, because of prompts in its provider's cache, is not taken.
 */
export function chooseWay(choices: Choices): Choice {
  const compared = compare(choices)
  const cheapest = compared.toSorted((a, b) => a.cost - b.cost)
  const least = (cheapest[0] as Compared).cost
  const chosen = compared.find(({ cost }) => cost <= least * (1 + SAME_COST)) as Compared
  const ways = cheapest.map(({ cost: _, ...estimate }) => estimate)
  return { way: chosen.way, why: reasonFor(chosen, compared, choices), ways }
}

/** The ways that may be taken, the fastest first. */
function compare({ live, flex, batch, leftMs, rows }: Choices): readonly Compared[] {
  const needsLive = live.ms.high + closingMs(rows)
  const usesMoney = [live, flex, batch].every((figures) => figures === null || figures.costNano !== null)
  const costOf = ({ costNano, permille }: WayFigures) => (usesMoney && costNano !== null ? costNano.expected : permille)
  const estimate = (way: Way, figures: WayFigures, share: number): Compared => {
    const cost = share * costOf(figures) + (1 - share) * costOf(live)
    const { costNano, ms, basis } = figures
    return {
      way,
      costNano,
      ms,
      basis,
      share: Math.round(share * 1000) / 1000,
      expectedNano: usesMoney ? Math.round(cost) : null,
      cost,
    }
  }
  const isLate = leftMs !== null && needsLive > leftMs
  /** Until all of the rows must go live; live alone being too late, both go at once, until the end. */
  const until = (before: number) => {
    if (leftMs === null) return Number.POSITIVE_INFINITY
    return leftMs - before - (isLate ? closingMs(rows) : needsLive)
  }
  const found = [estimate('live', live, 1)]
  // Flex is slower than live.
  if (flex !== null && !isLate) {
    const share = shareDone(until(0), flex.ms.expected)
    if (share >= LEAST_SHARE) found.push(estimate('flex', flex, share))
  }
  if (batch !== null) {
    const ms = until(isLate ? 0 : batch.recallMs)
    const share = ms === Number.POSITIVE_INFINITY ? 1 : shareBackWithin(ms, batch.past, batch.waves)
    if (share >= LEAST_SHARE) found.push(estimate('batch', batch, share))
  }
  // What live alone cannot finish in time is best begun by batch: then both work at it.
  const batched = found.filter(({ way }) => way === 'batch')
  return isLate && batched.length > 0 ? batched : found
}

function shareDone(ms: number, neededMs: number): number {
  return Math.max(0, Math.min(1, ms / Math.max(1, neededMs)))
}

function reasonFor({ way, share, cost }: Compared, compared: readonly Compared[], choices: Choices): string {
  const live = compared.find((each) => each.way === 'live')
  if (live === undefined) return 'live alone would be too late: batches and live requests share the rows'
  if (way !== 'live') {
    const saves = `${Math.round((1 - cost / Math.max(1, live.cost)) * 100)} % cheaper than live`
    if (choices.leftMs === null) return `${saves}, and there is no deadline`
    const inTime = Math.floor(share * 100)
    return inTime === 100
      ? `${saves}, and expected in time`
      : `${saves}: ${inTime} % of the rows are expected in time, the rest goes live`
  }
  if (choices.batch === null && choices.flex === null) return 'the model is to be had live only'
  if (compared.length > 1) return 'live is the cheapest: its prompt cache saves more than half'
  return 'the deadline leaves no time for anything else'
}
