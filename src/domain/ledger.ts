import type { AttemptState } from './attempt.ts'
import type { Cause } from './failure.ts'
import type { NanoUsd, Price } from './money.ts'
import { WAYS, type Way } from './route.ts'
import type { LaneName } from './row.ts'
import { costOf } from './usage.ts'

/** Attempts that are alike in all that a roll-up tells apart, summed. The parts of a job's ledger add up to it exactly. */
export interface LedgerPart extends LedgerSums {
  readonly round: number
  /** Days since 1970 in UTC, by the start of the attempt. */
  readonly day: number
  readonly model: string
  readonly lane: LaneName
  /** `open` ones are counted in `attempts` alone. */
  readonly state: AttemptState
  /** `null`: accepted, or not known. */
  readonly cause: Cause | null
  /** The price they were booked at; `null`: unknown. */
  readonly price: Price | null
}

/** What attempts used, by kind of token, and what they cost. As in `Usage`, input includes cached and written tokens, output reasoning. */
export interface LedgerSums {
  readonly attempts: number
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly costNano: NanoUsd
  /** Attempts of unknown price: where this is not 0, `costNano` is a lower bound. */
  readonly unpriced: number
}

/** The sums of one model on one lane. */
export interface ModelSums extends LedgerSums {
  readonly model: string
  readonly lane: LaneName
}

/** A price that a model was booked at on a lane. */
export interface BookedPrice {
  readonly model: string
  readonly lane: LaneName
  readonly price: Price
}

/** What a provider's cache of prompts did for the attempts whose tokens it counted. */
export interface PromptCacheUse {
  readonly inputTokens: number
  readonly cachedTokens: number
  readonly cacheWriteTokens: number
  /** What the same tokens would have cost without the cache, less what they cost; below 0 where writing cost more. `null`: no price is known. */
  readonly savedNano: NanoUsd | null
}

/** What attempts cost and saved that went one way. */
export interface WayUse {
  readonly way: Way
  readonly attempts: number
  readonly costNano: NanoUsd
  readonly unpriced: number
  /** What the same tokens would have cost live, less what they cost; `null`: no price is known. */
  readonly savedNano: NanoUsd | null
}

/** The ledger of a job in sums; attempts that are still open are in `open` alone. */
export interface Ledger extends LedgerSums {
  readonly booked: number
  readonly lost: number
  readonly orphaned: number
  readonly open: number
  /** Cost of attempts that brought no accepted answer; lost and orphaned ones are among them. */
  readonly failedCostNano: number
  /** Cost of `lost` attempts, at their worst case. */
  readonly lostCostNano: number
  readonly orphanedCostNano: number
  readonly byCause: readonly { readonly cause: Cause; readonly attempts: number }[]
  /** Dearest first. */
  readonly byModel: readonly ModelSums[]
  readonly prices: readonly BookedPrice[]
  readonly promptCache: PromptCacheUse
  /** The ways that were taken, as `WAYS` has them. */
  readonly byWay: readonly WayUse[]
}

export const NO_SUMS: LedgerSums = Object.freeze({
  attempts: 0,
  inputTokens: 0,
  cachedTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  costNano: 0,
  unpriced: 0,
})

/** The sum of both, field by field. */
export function addSums(a: LedgerSums, b: LedgerSums): LedgerSums {
  return {
    attempts: a.attempts + b.attempts,
    inputTokens: a.inputTokens + b.inputTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    costNano: a.costNano + b.costNano,
    unpriced: a.unpriced + b.unpriced,
  }
}

/** Whether these attempts brought an accepted answer to whoever sent them. */
export function isAccepted({ state, cause }: Pick<LedgerPart, 'state' | 'cause'>): boolean {
  return state === 'booked' && cause === null
}

/** A job's ledger from its parts. Attempts that are still open are counted apart and add nothing. */
export function ledgerOf(parts: readonly LedgerPart[]): Ledger {
  const ended = parts.filter(({ state }) => state !== 'open')
  const count = (state: AttemptState) => total(parts.filter((part) => part.state === state)).attempts
  const cost = (which: (part: LedgerPart) => boolean) => total(ended.filter(which)).costNano
  return {
    ...total(ended),
    booked: count('booked'),
    lost: count('lost'),
    orphaned: count('orphaned'),
    open: count('open'),
    failedCostNano: cost((part) => !isAccepted(part)),
    lostCostNano: cost(({ state }) => state === 'lost'),
    orphanedCostNano: cost(({ state }) => state === 'orphaned'),
    byCause: byCause(ended),
    byModel: byModel(ended),
    prices: pricesIn(ended),
    promptCache: promptCacheUse(ended),
    byWay: byWay(ended),
  }
}

function total(parts: readonly LedgerSums[]): LedgerSums {
  return parts.reduce(addSums, NO_SUMS)
}

function byCause(parts: readonly LedgerPart[]): Ledger['byCause'] {
  const causes = new Map<Cause, number>()
  for (const { cause, attempts } of parts) if (cause !== null) causes.set(cause, (causes.get(cause) ?? 0) + attempts)
  return [...causes]
    .map(([cause, attempts]) => ({ cause, attempts }))
    .sort((a, b) => b.attempts - a.attempts || a.cause.localeCompare(b.cause))
}

function byModel(parts: readonly LedgerPart[]): readonly ModelSums[] {
  const models = new Map<string, ModelSums>()
  for (const part of parts) {
    const { model, lane } = part
    const key = `${lane} ${model}`
    models.set(key, { model, lane, ...addSums(models.get(key) ?? NO_SUMS, part) })
  }
  return [...models.values()].sort((a, b) => b.costNano - a.costNano || a.model.localeCompare(b.model))
}

function pricesIn(parts: readonly LedgerPart[]): readonly BookedPrice[] {
  const prices = new Map<string, BookedPrice>()
  for (const { model, lane, price } of parts)
    if (price !== null) prices.set(JSON.stringify([model, lane, price]), { model, lane, price })
  return [...prices.values()].sort((a, b) => a.model.localeCompare(b.model) || a.lane.localeCompare(b.lane))
}

/** Lost attempts are left out: what stands there is a bound, and no provider's count. */
function promptCacheUse(parts: readonly LedgerPart[]): PromptCacheUse {
  const counted = parts.filter(({ state }) => state !== 'lost')
  const { inputTokens, cachedTokens, cacheWriteTokens } = total(counted)
  const savings = counted.map(cacheSavings).filter((saved) => saved !== null)
  const savedNano = savings.length === 0 ? null : savings.reduce((sum, saved) => sum + saved, 0)
  return { inputTokens, cachedTokens, cacheWriteTokens, savedNano }
}

function cacheSavings({ price, ...sums }: LedgerPart): NanoUsd | null {
  const usage = { ...sums, cachedInputTokens: sums.cachedTokens }
  const without = costOf({ ...usage, cachedInputTokens: 0, cacheWriteTokens: 0 }, price)
  const cost = costOf(usage, price)
  return without === null || cost === null ? null : without - cost
}

function byWay(parts: readonly LedgerPart[]): readonly WayUse[] {
  const taken = Map.groupBy(parts, wayOf)
  return WAYS.flatMap((way) => {
    const some = taken.get(way)
    if (some === undefined) return []
    const { attempts, costNano, unpriced } = total(some)
    const savings = some.map(waySavings).filter((saved) => saved !== null)
    const savedNano = savings.length === 0 ? null : savings.reduce((sum, saved) => sum + saved, 0)
    return [{ way, attempts, costNano, unpriced, savedNano }]
  })
}

/** A live request that was charged less than the live price was served as flex. */
function wayOf({ lane, price }: LedgerPart): Way {
  if (lane === 'batch') return 'batch'
  return (price?.lanePermille ?? 1000) < 1000 ? 'flex' : 'live'
}

function waySavings({ price, costNano }: LedgerPart): NanoUsd | null {
  if (price === null) return null
  const permille = price.lanePermille ?? 1000
  return permille === 0 ? null : Math.round((costNano * (1000 - permille)) / permille)
}

const DAY_MS = 86_400_000

/** The UTC day of a moment, counted from 1970. */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS)
}

/** A day as it is written: `2026-11-22`. */
export function dayText(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** The day that is written so; `NaN` for any other text. */
export function firstDay(text: string): number {
  const atMs = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  // Of a 31st of February the language makes a day of March.
  return Number.isNaN(atMs) || !new Date(atMs).toISOString().startsWith(text) ? Number.NaN : atMs / DAY_MS
}
