import type { JobId } from '../domain/job.ts'
import type { QueueTotal } from '../queue/queue.ts'
import type { JobsStanding } from '../store/role/fleet.ts'

/** How a worker joins the fleet. */
export interface WorkAnyOptions {
  /** Chunks that it holds at the most. @default 5 */
  readonly chunks?: number
  /** Rows in flight at the most, over all jobs; `null`: as many as the jobs want. */
  readonly concurrency: number | null
  /** Leave once no job is queued, running or finalizing. */
  readonly untilIdle?: boolean
  /** Leave: take no more rows, finish those in flight within `drainMs`, give the chunks back. */
  readonly signal: AbortSignal
  /** @default 10_000 */
  readonly drainMs?: number
  /** Leave at once; safe. */
  readonly abandon: AbortSignal
  /** Called about four times a second. */
  readonly onStatus?: (status: WorkerStatus) => void
  /** Called when the database has heard that this worker lives: once a second, as long as all is well. */
  readonly onBeat?: () => void
  /** Hears what a person should know: its concurrency was changed from elsewhere, it was taken for dead, a duty of the fleet went wrong. */
  readonly onNote?: (note: string) => void
}

/** A worker of the fleet, at work. */
export interface AnyWork {
  readonly workerId: string
  /**
   * Resolves after leaving. Rejects with SluiceError `store_version`, after leaving in order, when a newer sluice has brought the database to a level
   * that this one cannot work with; on one machine with a StorageFailure when the store did not come back.
   */
  readonly done: Promise<WorkerStatus>
  /** The most rows in flight from now on; rows that are under way are not touched. */
  setConcurrency(rows: number | null): void
}

/** A worker as it sees itself. */
export interface WorkerStatus {
  readonly workerId: string
  readonly phase: 'idle' | 'working' | 'stopping' | 'storage'
  readonly jobs: number
  readonly chunks: number
  readonly chunksMax: number
  readonly inFlight: number
  readonly concurrency: number | null
  /** Rows that it has brought to their end. */
  readonly rowsDone: number
  readonly rowsPerSecond: number
  readonly tokensPerMinute: number
  /** What it does for the whole fleet at the moment. */
  readonly roles: readonly string[]
  /** When the last commit returned, UTC ms. */
  readonly lastCommitMs: number | null
  /** E.g. `rate_limited, next request in 12 s`. */
  readonly note: string | null
}

/** Who works, and on what. Times are the database's. */
export interface FleetStatus {
  readonly workers: readonly FleetMember[]
  /** Chunks in somebody's hands, longest first, a thousand at the most. */
  readonly chunks: readonly FleetChunk[]
  readonly queue: QueueTotal
  /** Jobs of all tenants that are queued, running or finalizing, counted by tenant and state. */
  readonly jobs: readonly JobsStanding[]
}

export interface FleetMember {
  readonly workerId: string
  readonly host: string
  readonly pid: number
  readonly version: string
  /** The one job that it works on; `null`: any. */
  readonly job: JobId | null
  readonly chunksHeld: number
  readonly chunksMax: number
  readonly concurrency: number | null
  readonly roles: readonly string[]
  readonly startedAtMs: number
  /** How long ago it was heard of. */
  readonly silentMs: number
  /** Silent for so long that it is taken for dead: others take its chunks up. */
  readonly gone: boolean
}

export interface FleetChunk {
  readonly job: JobId
  readonly chunkNo: number
  readonly workerId: string
  /** Since when, UTC ms; `null`: its holder, an older version, did not say. */
  readonly sinceMs: number | null
}
