import type { PlannedRoute, PlannedTime, PlannedUse } from '../domain/plan.ts'
import type { Range } from '../domain/range.ts'
import type { WayEstimate } from '../domain/route.ts'

/** What sets the time of rows that go by batch, for people. */
export const BATCH_BOUND = "the provider's batches"

/**
 * What a run uses that begins on the way of a route, given what it uses live. Where rows are expected to be late on it, they go live at the end: they are in the middle of its cost,
 * and its high end is what all of them cost on the dearest way.
 */
export function useOnRoute(use: PlannedUse, route: PlannedRoute): PlannedUse {
  const chosen = chosenOf(route)
  if (chosen === undefined || chosen.costNano === null || chosen.expectedNano === null) return use
  if (chosen.share >= 1) return { ...use, costNano: chosen.costNano }
  const high = Math.max(use.costNano?.high ?? 0, ...route.ways.map(({ costNano }) => costNano?.high ?? 0))
  return { ...use, costNano: { low: chosen.costNano.low, expected: chosen.expectedNano, high } }
}

/**
 * How long a run takes that begins on the way of a route, given the time that it takes live. What would be late goes live, and so the deadline ends it,
 * or the time that live takes where that is longer.
 */
export function timeOnRoute(live: PlannedTime | null, route: PlannedRoute): PlannedTime | null {
  const chosen = chosenOf(route)
  if (chosen === undefined || chosen.way === 'live') return live
  if (chosen.ms === null) return null
  const liveMs = route.ways.find(({ way }) => way === 'live')?.ms?.high
  const hasEnd = route.deadlineMs !== null && liveMs !== undefined
  const ms = hasEnd ? atMost(chosen.ms, Math.max(route.deadlineMs, liveMs)) : chosen.ms
  if (chosen.way === 'batch') return { ms, bound: BATCH_BOUND, basis: 'turnarounds' }
  return { ms, bound: 'flex', basis: live?.basis ?? 'limits' }
}

function chosenOf({ way, ways }: PlannedRoute): WayEstimate | undefined {
  return ways.find((each) => each.way === way)
}

function atMost({ low, expected, high }: Range, most: number): Range {
  return { low: Math.min(low, most), expected: Math.min(expected, most), high: Math.min(high, most) }
}
