import type { JobStatus } from '../engine.ts'
import type { Runtime } from '../runtime.ts'
import { phaseText, shownPercent } from './panel.ts'

/** When a display without a cursor says something again. */
export interface Cadence {
  /** Whether this status is due: the first, after the interval, after enough percent, or when state or phase changed. */
  due(status: JobStatus): boolean
}

const INTERVAL_MS = 10_000
const STEP_PERCENT = 5

/** At most each ten seconds or five percent, and at each change of state or phase. */
export function createCadence(runtime: Runtime): Cadence {
  let last: { readonly atMs: number; readonly percent: number; readonly standing: string } | null = null
  return Object.freeze({
    due(status: JobStatus) {
      const now = { atMs: runtime.elapsed(), percent: shownPercent(status), standing: standing(status) }
      const due =
        last === null ||
        now.standing !== last.standing ||
        now.atMs - last.atMs >= INTERVAL_MS ||
        now.percent - last.percent >= STEP_PERCENT
      if (due) last = now
      return due
    },
  })
}

/** State and phase without figures, which change all the time. */
function standing(status: JobStatus): string {
  const { job, live } = status
  return [job.state, job.reason, job.wanted, job.route?.way, live?.phase ?? phaseText(status)].join('|')
}
