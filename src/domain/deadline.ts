import type { Job } from './job.ts'

/** How a job stands to its deadline. */
export interface DeadlineView {
  /** UTC. */
  readonly atMs: number
  /** `ahead`, `passed`: the job is not over. `met`, `missed`: it is. `void`: it was cancelled before. */
  readonly standing: 'ahead' | 'passed' | 'met' | 'missed' | 'void'
  /** From now, or from the end of the job, to the deadline; below 0 where that is past. */
  readonly leftMs: number
}

/** When a round should be done that began so, UTC; `null`: whenever it is. A trial is to be seen at once, and has no deadline. */
export function deadlineAt(deadlineMs: number | undefined, roundBeganMs: number, isTrial: boolean): number | null {
  return deadlineMs === undefined || isTrial ? null : roundBeganMs + deadlineMs
}

/** How a job stands to its deadline, at a moment. */
export function viewDeadline(
  atMs: number,
  { state, endedAtMs }: Pick<Job, 'state' | 'endedAtMs'>,
  nowMs: number,
): DeadlineView {
  const leftMs = atMs - (endedAtMs ?? nowMs)
  if (endedAtMs === null) return { atMs, leftMs, standing: leftMs >= 0 ? 'ahead' : 'passed' }
  if (leftMs < 0) return { atMs, leftMs, standing: 'missed' }
  return { atMs, leftMs, standing: state === 'cancelled' ? 'void' : 'met' }
}
