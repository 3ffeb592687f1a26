import type { Blob } from '../blob/blob.ts'
import type { Chunk, ChunkRef } from '../domain/chunk.ts'
import type { Job } from '../domain/job.ts'
import type { NanoUsd } from '../domain/money.ts'
import type { Row } from '../domain/row.ts'
import type { Spec } from '../domain/spec.ts'
import type { Events } from '../events.ts'
import type { Queue } from '../queue/queue.ts'
import type { Runtime } from '../runtime.ts'
import type { Store } from '../store/store.ts'

/** What the verbs that change a job as a whole are given. */
export interface JobDeps {
  readonly store: Store
  readonly queue: Queue
  readonly blob: Pick<Blob, 'removeAll'>
  readonly runtime: Runtime
  /** Hears what came of it in this process. @default nobody does */
  readonly events?: Pick<Events, 'emit'>
  /** Whether a worker's process is known to be dead. */
  readonly isGone: (workerId: string) => Promise<boolean>
  readonly readRows: (job: Job, chunk: Chunk) => Promise<readonly Row[]>
  readonly specOf: (job: Job) => Promise<Spec>
  /** Writes the job's results where its spec's `write` says. Rejects with a SluiceError when that cannot be done, with the reason once `signal` aborts. */
  readonly writeResults: (job: Job, spec: Spec, signal: AbortSignal) => Promise<void>
  /** Keeps the report of an ended round among the job's artifacts. */
  readonly keepReport: (job: Job) => Promise<void>
  /** Books what has come back by batch of a chunk whose job is to end, and closes its parts. */
  readonly settleChunk: (ref: ChunkRef) => Promise<void>
  /** What the plan by which a job was run expects it to cost; `null`: there is none, or it knows no price. @default nobody knows */
  readonly plannedNano?: (job: Job) => Promise<NanoUsd | null>
  /** Chunks of one job that are in the queue at the most. @default WINDOW */
  readonly window?: number
}
