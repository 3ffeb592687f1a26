import type { BatchApis } from '../batch/batch-api.ts'
import type { Blob } from '../blob/blob.ts'
import type { Chunk } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { Row } from '../domain/row.ts'
import type { Events } from '../events.ts'
import type { Lane } from '../lane/lane.ts'
import type { Governor } from '../limit/governor.ts'
import type { Share } from '../limit/share.ts'
import type { Models } from '../provider/model.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'
import type { JobRun } from './job-run.ts'

/** What requests need that go by batch. */
export interface BatchDeps {
  readonly models: Pick<Models, 'open' | 'batchKind'>
  readonly apis: BatchApis
  readonly blob: Blob
}

/** What a worker is given; joined in the composition root. */
export interface WorkerDeps {
  readonly workerId: string
  readonly runtime: Runtime
  readonly events: Events
  readonly store: Store
  readonly queue: Queue
  readonly governor: Governor
  /** The limits that the governor keeps to; those of tenants lie beside those of accounts. */
  readonly share: Share
  readonly lane: Lane
  readonly batch: BatchDeps
  /** Takes a job up in its current round: its spec, compiled. Rejects with a SluiceError when a key is missing, say. */
  readonly takeUp: (job: Job) => Promise<JobRun>
  /** Reads a chunk's rows back from the snapshot; unreadable lines are left out. */
  readonly readRows: (chunk: Chunk, run: JobRun) => Promise<readonly Row[]>
  /** Whether a worker's process is known to be dead. */
  readonly isGone: (workerId: string) => Promise<boolean>
  /**
   * Whether each beat frees the leases of dead workers: where a death is known at once. Elsewhere a lease's own silence tells whoever fetches next,
   * and for every worker to ask after every other each second would be work that grows with the square of the fleet.
   */
  readonly reclaims: boolean
  /**
   * Says that this worker lives; called at each beat, before anybody looks whose leases ran out. Rejects with SluiceError `store_version` when the
   * database has moved beyond this version: then the worker drains and ends with that.
   */
  readonly sayAlive: () => Promise<void>
  /** The most rows in flight over all jobs, asked before each; `Infinity`: as many as the jobs want. */
  readonly rowsAtOnce: () => number
  /**
   * Reads a job's input. Whatever is wrong with that is written down on the job. Returns after how long (ms) to ask again; `null`: it is done with. Rejects
   * soon after `signal` aborts: all that was read is kept.
   */
  readonly readInput: (jobNo: number, signal: AbortSignal) => Promise<number | null>
  /** Ends a job's round: gates, report, final state. Harmless to repeat; rejects soon after `signal` aborts, with nothing decided. */
  readonly finalize: (jobNo: number, round: number, signal: AbortSignal) => Promise<void>
  /** Makes the change of state that `jobs.wanted` asks for, once no chunk of the job is leased. */
  readonly fulfilWish: (jobNo: number) => Promise<void>
  /** Makes the messages of a job again that the queue has lost, where it has none left. */
  readonly mendQueue: (jobNo: number) => Promise<void>
  /** How long a store that cannot be written is waited for; `Infinity`: until it is back, and no job pauses for it. @default 60_000 */
  readonly storagePatienceMs?: number
}
