import { StorageFailure } from '../domain/storage-failure.ts'
import { fulfilWish, mendQueue } from '../job/control.ts'
import { finalize } from '../job/finalize.ts'
import type { JobDeps } from '../job/job-deps.ts'
import type { Delivery } from '../notify/delivery.ts'
import { processToken } from '../runtime.ts'
import type { RollCall } from '../worker/roll-call.ts'
import { createWorker, type Worker } from '../worker/worker.ts'
import type { BatchDeps } from '../worker/worker-deps.ts'
import type { EngineDeps } from './engine-deps.ts'
import { readRows } from './job-parts.ts'
import { readInput } from './read-input.ts'
import { takeUp } from './take-up.ts'
import { waitingForStore } from './waiting-for-store.ts'

/** What an engine's work is done with. */
export interface WorkDeps {
  readonly deps: EngineDeps
  readonly jobDeps: JobDeps
  readonly rollCall: RollCall
  readonly delivery: Delivery
}

/** What a worker of this process is there for. */
export interface Post {
  /** `null`: any job. */
  readonly jobNo: number | null
  readonly chunks: number
  /** Rows in flight at the most, as it is now; `null`: as many as the jobs want. */
  readonly concurrency: () => number | null
  /** Hears what somebody wants that to be. */
  readonly onWish: (concurrency: number) => void
  readonly onBeat: () => void
}

/** A worker that stands on the fleet's list. */
export interface FleetWorker {
  readonly workerId: string
  readonly worker: Worker
  /** Takes it off the list. */
  leave(): Promise<void>
}

/**
 * Puts a worker of this process on the fleet's list, and creates it over the engine's adapters. A store that is away meanwhile is waited for as
 * long as by a worker at its work; rejects with the StorageFailure when that is over, or `signal` aborts first.
 */
export async function enterFleet(
  { deps, jobDeps, rollCall }: WorkDeps,
  post: Post,
  signal: AbortSignal,
): Promise<FleetWorker> {
  const workerId = processToken()
  const { jobNo, chunks, concurrency, onWish, onBeat } = post
  const registration = await deps.presence?.register(workerId)
  const membership = await waitingForStore(deps, signal, () =>
    rollCall.join({
      member: { workerId, ...deps.process, jobNo, chunks, concurrency: concurrency() },
      concurrency,
      onWish,
    }),
  )
  const worker = createWorker({
    workerId,
    runtime: deps.runtime,
    events: deps.events,
    store: deps.store,
    queue: deps.queue,
    governor: deps.governor,
    share: deps.share,
    lane: deps.lane,
    batch: batchDeps(deps),
    storagePatienceMs: deps.storagePatienceMs,
    takeUp: (taken) => takeUp(deps, taken),
    readRows: (chunk, run) => readRows(deps, run.job, run.spec, chunk),
    isGone: jobDeps.isGone,
    reclaims: deps.presence !== null,
    async sayAlive() {
      await deps.store.checkLevel()
      await membership.beat()
      onBeat()
    },
    rowsAtOnce: () => concurrency() ?? Number.POSITIVE_INFINITY,
    readInput: (ofJob, signal) => readInput(deps, jobDeps, ofJob, signal),
    finalize: (ofJob, round, signal) => finalize(jobDeps, ofJob, round, signal),
    fulfilWish: (ofJob) => fulfilWish(jobDeps, ofJob),
    mendQueue: (ofJob) => mendQueue(jobDeps, ofJob),
  })
  return Object.freeze({
    workerId,
    worker,
    async leave() {
      // A store that is away: the others see by its silence that it has left.
      await membership.leave().catch(unlessStorage)
      await registration?.release()
    },
  })
}

/** What a worker needs for requests that go by batch. */
export function batchDeps({ models, batchApis: apis, blob }: EngineDeps): BatchDeps {
  return { models, apis, blob }
}

function unlessStorage(error: unknown): void {
  if (!(error instanceof StorageFailure)) throw error
}
