import type { Draw } from '../draw.ts'
import { drawLatency } from '../latency.ts'
import type { BatchOptions } from './options.ts'

/** How a batch ends. `failed`: not one request was worked on. */
export type BatchEnd = 'completed' | 'expired' | 'cancelled' | 'failed'

export type BatchPhase = 'validating' | 'running' | 'cancelling' | 'finalizing' | 'ended'

/** Why a batch failed as a whole. */
export interface BatchFailure {
  readonly kind: 'queue_full' | 'bad_line' | 'refused'
  /** The provider's word for it, where it has one. */
  readonly code: string
  readonly message: string
  /** Of the file; `null`: of no line in particular. */
  readonly line: number | null
}

/** When a batch comes where, in real milliseconds, and how it ends: all of it settled when it is created, unless it is cancelled. */
export interface Course {
  readonly createdMs: number
  readonly validatedMs: number
  readonly expiresMs: number
  /** No request is worked on after it. */
  readonly ranMs: number
  /** Its results are there, if they have been worked out by then. */
  readonly doneMs: number
  readonly end: BatchEnd
  /** Of the requests, those that had their turn by `ranMs`. */
  readonly share: number
  readonly cancelledMs: number | null
  readonly failure: BatchFailure | null
}

/** The course of a batch that is created at `nowMs`, with `windowMs` of its own clock to run in. */
export function planCourse(
  options: BatchOptions,
  nowMs: number,
  windowMs: number,
  failure: BatchFailure | null,
  draw: Draw,
): Course {
  const real = (ms: number) => ms / options.speed
  const validatingMs = real(drawLatency(options.validating, draw))
  const runningMs = real(drawLatency(options.running, draw))
  const finalizingMs = real(drawLatency(options.finalizing, draw))
  const expiresMs = nowMs + real(windowMs)
  const validatedMs = Math.min(expiresMs, nowMs + validatingMs)
  const fate = draw()
  const reached = 0.1 + 0.8 * draw()
  const plan = { createdMs: nowMs, validatedMs, expiresMs, cancelledMs: null, failure: null } as const
  const failed = failure ?? (fate < options.invalid ? SPOILT : null)
  if (failed !== null)
    return { ...plan, ranMs: validatedMs, doneMs: validatedMs, end: 'failed', share: 0, failure: failed }
  const isDoomed = fate < options.invalid + options.expired
  if (!isDoomed && nowMs + validatingMs + runningMs <= expiresMs) {
    const ranMs = validatedMs + runningMs
    return { ...plan, ranMs, doneMs: ranMs + finalizingMs, end: 'completed', share: 1 }
  }
  const share = isDoomed ? reached : runningMs === 0 ? 0 : (expiresMs - validatedMs) / runningMs
  return { ...plan, ranMs: expiresMs, doneMs: expiresMs + finalizingMs, end: 'expired', share }
}

const SPOILT: BatchFailure = Object.freeze({
  kind: 'bad_line',
  code: 'invalid_json_line',
  message: 'This line is not parseable as valid JSON.',
  line: 1,
})

/** Where a batch stands. It has not ended before its answers are worked out, whatever the clock says. */
export function phaseOf(course: Course, nowMs: number, isWorked: boolean): BatchPhase {
  if (nowMs < course.validatedMs && course.cancelledMs === null) return 'validating'
  if (nowMs < course.ranMs) return course.cancelledMs === null ? 'running' : 'cancelling'
  if (nowMs >= course.doneMs && isWorked) return 'ended'
  return course.cancelledMs === null ? 'finalizing' : 'cancelling'
}

/** Of the requests, those that have had their turn: 0..1. */
export function progressOf(course: Course, nowMs: number): number {
  const until = course.cancelledMs ?? course.ranMs
  if (nowMs >= until) return course.share
  if (nowMs <= course.validatedMs) return 0
  return (course.share * (nowMs - course.validatedMs)) / (until - course.validatedMs)
}

/** The course after a cancellation: what has had its turn stays. Nothing changes where all have had theirs, or nobody will. */
export function cancelCourse(course: Course, options: BatchOptions, nowMs: number): Course {
  if (course.cancelledMs !== null || course.end === 'failed' || nowMs >= course.ranMs) return course
  const ranMs = nowMs + options.cancellingMs / options.speed
  return { ...course, cancelledMs: nowMs, ranMs, doneMs: ranMs, end: 'cancelled', share: progressOf(course, nowMs) }
}
