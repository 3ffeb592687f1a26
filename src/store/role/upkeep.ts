import type { JobId } from '../../domain/job.ts'

/** What may be thrown away: rows of jobs that ended before a time, and attempts of such jobs. `null`: none. UTC milliseconds. */
export interface DropRequest {
  readonly rowsBeforeMs: number | null
  readonly attemptsBeforeMs: number | null
}

export interface Dropped {
  /** Jobs whose rows and manifest went with this call: their artifacts may go too. */
  readonly jobs: readonly { readonly jobNo: number; readonly id: JobId }[]
  /** Whether attempts went too. */
  readonly attempts: boolean
}

/** What somebody must do now and then, one process at a time; harmless to repeat, and to be killed in. */
export interface Upkeep {
  /** Makes ready what the coming weeks need. */
  prepare(): Promise<void>
  /**
   * Throws away what is old. Jobs stay with their totals, rounds and events, and say by `droppedAtMs` that their rows are gone; only jobs that are
   * over go, and they cannot be retried. On PostgreSQL rows go week by week and attempts month by month, when all jobs of it may; an own bucket
   * goes by itself.
   */
  dropOld(request: DropRequest): Promise<Dropped>
}
