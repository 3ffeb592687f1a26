import { type DeadlineView, viewDeadline } from '../domain/deadline.ts'
import type { Job } from '../domain/job.ts'
import { toUsd } from '../domain/money.ts'
import type { Range } from '../domain/range.ts'
import type { Route, RouteChange, WayEstimate } from '../domain/route.ts'

/** The route of a job for programs. `null`: it has none. */
export function routeEvent(route: Route | undefined): object | null {
  if (route === undefined) return null
  return {
    way: route.way,
    chosen: route.chosen,
    why: route.why,
    ways: route.ways.map(wayFields),
    changes: route.changes.map(changeFields),
  }
}

/** How a job stands to its deadline, for programs. `null`: it has none. */
export function deadlineEvent(
  atMs: number | null,
  job: Pick<Job, 'state' | 'endedAtMs'>,
  nowMs: number,
): object | null {
  return atMs === null ? null : deadlineFields(viewDeadline(atMs, job, nowMs))
}

/** `met`: null as long as the job is not over, or where it was cancelled before. */
export function deadlineFields({ atMs, leftMs, standing }: DeadlineView): object {
  const met = { met: true, missed: false, ahead: null, passed: null, void: null }[standing]
  return { at: new Date(atMs).toISOString(), left_s: Math.round(leftMs) / 1000, met }
}

/** One of the ways that were compared. */
export function wayFields({ way, costNano, ms, basis, share, expectedNano }: WayEstimate): object {
  return {
    way,
    cost_usd: costNano === null ? null : ranged(costNano, toUsd),
    time_s: ms === null ? null : ranged(ms, (each) => each / 1000),
    basis,
    share_in_time: share,
    expected_usd: expectedNano === null ? null : toUsd(expectedNano),
  }
}

/** A range in another unit. */
export function ranged({ low, expected, high }: Range, write: (n: number) => number): Range {
  return { low: write(low), expected: write(expected), high: write(high) }
}

function changeFields({ atMs, to, why }: RouteChange): object {
  return { at: new Date(atMs).toISOString(), to, why }
}
