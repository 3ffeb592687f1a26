import { beat, HEARTBEAT_MS } from './heartbeat.ts'
import type { HeldChunk } from './held-chunk.ts'
import { order, type StopOrder, WORKABLE, watchErrorRate } from './job-run.ts'
import { createPool, type Pool } from './pool.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createShelf, type Shelf } from './shelf.ts'
import { settleStops } from './stops.ts'
import { createStorageGuard, type StorageGuard } from './storage-guard.ts'
import { createWake } from './wake.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** How long rows in flight may take to end after a signal; then they are hung up on. */
export const DRAIN_MS = 10_000
/** How often a worker without enough to do looks for work. */
const POLL_MS = 250

export interface WorkerOptions {
  /** Work on this job only, and return when it stands still. `null`: on any, until told to leave. */
  readonly jobNo: number | null
  /** Chunks held at a time. */
  readonly chunks: number
  /** Leave: take no more rows, finish those in flight within `DRAIN_MS`, checkpoint, give the chunks back. */
  readonly signal: AbortSignal
  /** Leave at once. Safe: what is in flight is booked as lost by whoever takes the chunks up. */
  readonly abandon: AbortSignal
}

export interface Worker {
  /**
   * Resolves when the job stands still, or after leaving. Rejects with a StorageFailure when the store did not come back, with a defect else.
   * To be called once.
   */
  run(options: WorkerOptions): Promise<'stood_still' | 'left'>
  /** What is going on, for a panel. */
  readonly view: WorkerView
}

export interface WorkerView {
  readonly inFlight: number
  readonly stopping: boolean
  readonly storageFailing: boolean
  readonly lastCommitMs: number | null
}

/** Creates a worker: claim → lane → settle → record, for chunks of any job, over the seams it is given. */
export function createWorker(deps: WorkerDeps): Worker {
  const parts = joinParts(deps)
  const { pool, recorder, guard, shelf, hangUp } = parts
  return Object.freeze({
    run: (options: WorkerOptions) => run(deps, parts, options),
    get view() {
      return {
        inFlight: pool.inFlight,
        stopping: hangUp.signal.aborted || [...shelf.runs.values()].some((job) => job.stop !== null),
        storageFailing: guard.failing,
        lastCommitMs: recorder.lastCommitMs,
      }
    },
  })
}

type Parts = ReturnType<typeof joinParts>

function joinParts(deps: WorkerDeps) {
  const { runtime, events, store, queue, storagePatienceMs } = deps
  const wake = createWake(runtime)
  /** Rows in flight are hung up on, and no more are sent. */
  const hangUp = new AbortController()
  /** The end of it, whatever is under way: nothing is waited for any more. */
  const over = new AbortController()
  const end = Promise.withResolvers<'left'>()
  const halt = () => {
    over.abort()
    hangUp.abort()
    wake.call()
  }
  const fail = (error: unknown) => {
    end.reject(error)
    halt()
  }
  const leave = () => {
    end.resolve('left')
    halt()
  }
  const stopAll = (stop: StopOrder) => {
    for (const run of shelf.runs.values()) order(run, stop)
  }
  const guard: StorageGuard = createStorageGuard({
    runtime,
    events,
    over: over.signal,
    ...(storagePatienceMs !== undefined && { patienceMs: storagePatienceMs }),
    freeBallast: () => store.freeBallast(),
    onFull: () => {
      stopAll({ kind: 'own', reason: 'storage', detail: 'the disk is full' })
      wake.call()
    },
  })
  const recorder: Recorder = createRecorder({
    store,
    queue,
    runtime,
    events,
    guard,
    onRoom: () => pool.pump(),
    onClosed: (held) => {
      shelf.remove(held)
      wake.call()
    },
    onBroken: fail,
  })
  const onIdle = (held: HeldChunk) => {
    if (held.stale || held.run.stop !== null) wake.call()
  }
  const pool: Pool = createPool(deps, { recorder, guard, hangUp: hangUp.signal, onIdle, onDefect: fail })
  const shelf: Shelf = createShelf(deps, { recorder, guard, pool })
  return { wake, hangUp, over, end, fail, leave, stopAll, guard, recorder, pool, shelf }
}

async function run(deps: WorkerDeps, parts: Parts, options: WorkerOptions): Promise<'stood_still' | 'left'> {
  const { wake, hangUp, over, end, fail, leave, pool, shelf } = parts
  const ended = new AbortController()
  let cancelDrain: () => void = () => undefined
  const onSignal = () => {
    cancelDrain = deps.runtime.after(DRAIN_MS, () => hangUp.abort())
    wake.call()
  }
  const onRowsEnded = deps.events.on('rows.ended', ({ jobNo, delta }) => {
    const job = shelf.runs.get(jobNo)
    if (job === undefined) return
    watchErrorRate(job, delta.succeeded, delta.failed)
    if (job.stop !== null) wake.call()
  })
  if (options.signal.aborted) onSignal()
  if (options.abandon.aborted) leave()
  options.signal.addEventListener('abort', onSignal, { once: true })
  options.abandon.addEventListener('abort', leave, { once: true })
  const giveUp = (error: unknown) => {
    fail(error)
    throw error
  }
  const beating = heart(deps, parts, ended.signal).catch(fail)
  try {
    return await Promise.race([end.promise, loop(deps, parts, options).catch(giveUp)])
  } finally {
    ended.abort()
    // Whatever has not come to its end by now is not waited for.
    if (!over.signal.aborted) await beating
    over.abort()
    pool.close()
    cancelDrain()
    onRowsEnded()
    options.signal.removeEventListener('abort', onSignal)
    options.abandon.removeEventListener('abort', leave)
  }
}

async function heart(deps: WorkerDeps, { guard, shelf, wake }: Parts, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await beat(deps, guard, shelf)
    wake.call()
    await deps.runtime.sleep(HEARTBEAT_MS, ended).catch(() => undefined)
  }
}

async function loop(deps: WorkerDeps, parts: Parts, options: WorkerOptions): Promise<'stood_still' | 'left'> {
  const { wake, over, stopAll, pool, shelf } = parts
  const { jobNo, signal } = options
  while (!over.signal.aborted) {
    if (signal.aborted) stopAll({ kind: 'leave', reason: null, detail: null })
    await settleStops(deps, parts)
    if (signal.aborted && shelf.held.size === 0) return 'left'
    if (!signal.aborted && (await fill(deps, parts, options))) continue
    if (!signal.aborted && jobNo !== null && shelf.held.size === 0 && (await standsStill(deps, parts, jobNo)))
      return 'stood_still'
    pool.pump()
    await wake.wait(POLL_MS)
  }
  return 'left'
}

/** Takes up chunks where there is room for them. `false`: there was none to be had. */
async function fill(deps: WorkerDeps, { guard, shelf }: Parts, { chunks, jobNo }: WorkerOptions): Promise<boolean> {
  const room = chunks - [...shelf.held].filter((held) => !held.closed && !held.stale).length
  if (room <= 0 || guard.failing) return false
  const filter = jobNo === null ? {} : { jobNo }
  const deliveries = await guard.persist(() => deps.queue.fetch(deps.workerId, room, filter))
  await shelf.take(deliveries)
  return deliveries.length > 0
}

/** Whether the one job that this worker is for can be left: over, paused, or gone. Mends a queue that lost a message. */
async function standsStill(deps: WorkerDeps, { guard }: Parts, jobNo: number): Promise<boolean> {
  const look = async () => (await guard.persist(() => deps.store.jobs.controls([jobNo])))[0]
  const before = await look()
  if (before === undefined) return true
  await guard.persist(() => (before.wanted === null ? deps.mendQueue(jobNo) : deps.fulfilWish(jobNo)))
  const after = await look()
  return after === undefined || !(WORKABLE.has(after.state) || after.state === 'finalizing')
}
