import type { Price } from '../domain/money.ts'
import type { PlanBinding } from '../domain/plan.ts'
import { SluiceError } from '../errors.ts'
import { sha256 } from '../runtime.ts'

/** The hash of the prices that a plan was made with, in the order of the spec's models; where a price is from, and when it was read, is no part of it. */
export function priceHash(prices: readonly (Price | null)[]): string {
  const figures = prices.map((price) => {
    if (price === null) return null
    const { source: _, ...rest } = price
    return Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1))
  })
  return sha256(JSON.stringify(figures))
}

const NAMES: Readonly<Record<keyof PlanBinding, string>> = {
  specHash: 'the spec',
  inputHash: 'the input',
  priceHash: 'a price',
}

/** Throws SluiceError `plan_stale`, naming what differs, unless all is as it was planned. */
export function refuseStale(planned: PlanBinding, now: PlanBinding): void {
  const moved = (Object.keys(NAMES) as (keyof PlanBinding)[]).filter((key) => planned[key] !== now[key])
  if (moved.length === 0) return
  const what = moved.map((key) => NAMES[key]).join(' and ')
  throw new SluiceError('plan_stale', `${what} changed since the plan was made: nothing was sent`)
}
