import { span } from '../delivery/report-figures.ts'
import { changeText, deadlineText, routeText, standingText } from '../delivery/route-text.ts'
import { viewDeadline } from '../domain/deadline.ts'
import { whyNow } from '../domain/route.ts'
import type { JobStatus } from '../engine.ts'
import { count } from './figures.ts'
import { printable } from './terminal-text.ts'

type Lane = Pick<JobStatus, 'job' | 'lane' | 'deadlineAtMs'>

/** Which way a job goes, and how it stands to its deadline, in a few words; `null`: its lane was not chosen, and it has no deadline. */
export function laneText({ job, lane, deadlineAtMs }: Lane, nowMs: number): string | null {
  if (lane !== 'auto' && deadlineAtMs === null) return null
  const { route } = job
  const way = lane !== 'auto' ? lane : route === undefined ? 'auto, not chosen yet' : routeText(route)
  return deadlineAtMs === null ? way : `${way}   deadline ${standingText(viewDeadline(deadlineAtMs, job, nowMs))}`
}

/** Why a job goes the way that it goes now; `null`: nothing was chosen. */
export function wayReason({ job: { route } }: Pick<JobStatus, 'job'>): string | null {
  if (route === undefined) return null
  return printable(whyNow(route))
}

/** What was chosen for a job and why, each change of it, and its deadline, for `sluice status`: label and text. */
export function laneFacts({ job, lane, deadlineAtMs }: Lane, nowMs: number): [string, string][] {
  const { route } = job
  const facts: [string, string][] = []
  if (route !== undefined) facts.push(['lane', `auto -> ${route.chosen} (${printable(route.why)})`])
  else if (lane === 'auto') facts.push(['lane', 'auto, not chosen yet'])
  for (const change of route?.changes ?? []) facts.push(['', printable(changeText(change))])
  if (deadlineAtMs !== null) facts.push(['deadline', deadlineText(viewDeadline(deadlineAtMs, job, nowMs))])
  return facts
}

/** `batches of this account mostly took 20 min to 3 h (the last 12)`. */
export function turnaroundText({ ms, batches }: NonNullable<JobStatus['turnarounds']>): string {
  return `batches of this account mostly took ${about(ms.low)} to ${about(ms.high)} (the last ${count(batches)})`
}

/** Without the smaller unit where there is none of it. */
function about(ms: number): string {
  return span(ms).replace(/ 0 \S+$/, '')
}
