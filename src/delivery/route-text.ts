import type { DeadlineView } from '../domain/deadline.ts'
import { formatUsd } from '../domain/money.ts'
import type { Route, RouteChange, WayEstimate } from '../domain/route.ts'
import { rangeText } from './plan-figures.ts'
import { percent, span } from './report-figures.ts'

/** Titles of what `wayCells` gives. */
export const WAY_TITLES = Object.freeze(['lane', 'cost', 'time', 'rests on', 'in time'])

/** One of the ways that were compared: its cost and time if all rows went so, and which of them are expected to be done on it in time. */
export function wayCells({ way, costNano, ms, basis, share }: WayEstimate, hasDeadline: boolean): readonly string[] {
  const cost = costNano === null ? 'unknown' : rangeText(costNano, formatUsd)
  const time = ms === null ? 'unknown' : rangeText(ms, span)
  return [way, cost, time, basis, hasDeadline ? percent(share, 1) : '']
}

/** The way as it was chosen: `auto -> batch`; with what became of it: `auto -> batch -> live`. */
export function routeText({ chosen, changes }: Pick<Route, 'chosen' | 'changes'>): string {
  return ['auto', chosen, ...changes.map(({ to }) => to)].join(' -> ')
}

/** `2026-11-22 20:12 UTC live: the deadline is near`. */
export function changeText({ atMs, to, why }: RouteChange): string {
  return `${minute(atMs)} ${to}: ${why}`
}

/** Where a job stands to its deadline: `in 3 h 12 min`, `missed by 5 min 0 s`. */
export function standingText({ standing, leftMs }: DeadlineView): string {
  const by = span(Math.abs(leftMs))
  switch (standing) {
    case 'ahead':
      return `in ${by}`
    case 'passed':
      return `passed ${by} ago`
    case 'met':
      return `met, ${by} before it`
    case 'missed':
      return `missed by ${by}`
    case 'void':
      return 'the job was cancelled before it'
  }
}

/** A deadline with where the job stands to it: `2026-11-22 22:00 UTC, in 3 h 12 min`. */
export function deadlineText(view: DeadlineView): string {
  return `${minute(view.atMs)}, ${standingText(view)}`
}

/** A moment in UTC, to the minute. */
function minute(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
