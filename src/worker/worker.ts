import { SluiceError } from '../errors.ts'
import type { Delivery } from '../queue/queue.ts'
import { type BudgetGate, createBudgetGate } from './budget-gate.ts'
import { createDeparture, DRAIN_MS } from './departure.ts'
import { createErrands, type Errands } from './errands.ts'
import { beat, HEARTBEAT_MS } from './heartbeat.ts'
import type { HeldChunk } from './held-chunk.ts'
import { order, type StopOrder, WORKABLE, watchErrorRate } from './job-run.ts'
import { createPool, type Pool } from './pool.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { type ChunkDelivery, createShelf, type Shelf } from './shelf.ts'
import { settleStops } from './stops.ts'
import { createStorageGuard, type StorageGuard } from './storage-guard.ts'
import { createTenantGate } from './tenant-gate.ts'
import { createWake } from './wake.ts'
import { createWarmGate } from './warm-gate.ts'
import { whatToFetch } from './what-to-fetch.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** How often a worker without enough to do looks for work. */
const POLL_MS = 250
/** How often it looks whether the one job that it works on has lost messages. */
const MEND_MS = 2_000

export interface WorkerOptions {
  /** Work on this job only, and return when it stands still. `null`: on any, until told to leave. */
  readonly jobNo: number | null
  /** Chunks held at a time. */
  readonly chunks: number
  /** Where any job will do: return also when none is left to be worked on. */
  readonly untilIdle?: boolean
  /** Leave: take no more rows, finish those in flight within `drainMs`, checkpoint, give the chunks back. */
  readonly signal: AbortSignal
  /** @default DRAIN_MS */
  readonly drainMs?: number
  /** Leave at once. Safe: what is in flight is booked as lost by whoever takes the chunks up. */
  readonly abandon: AbortSignal
}

export interface Worker {
  /**
   * Resolves when the job stands still, or after leaving. Rejects with a StorageFailure when the store did not come back, with SluiceError
   * `store_version` (after leaving in order) when the database has moved beyond this version, with a defect else.
   * To be called once.
   */
  run(options: WorkerOptions): Promise<'stood_still' | 'left'>
  /** What is going on, for a panel. */
  readonly view: WorkerView
}

export interface WorkerView {
  readonly inFlight: number
  readonly chunks: number
  /** Jobs that the chunks are of. */
  readonly jobs: number
  readonly stopping: boolean
  /** It has begun to leave, of itself or because it was told to. */
  readonly leaving: boolean
  readonly storageFailing: boolean
  readonly lastCommitMs: number | null
}

/** Creates a worker: claim → lane → settle → record, for chunks of any job, over the seams it is given. */
export function createWorker(deps: WorkerDeps): Worker {
  const parts = joinParts(deps)
  const { pool, recorder, guard, shelf, errands, hangUp, departure } = parts
  return Object.freeze({
    run: (options: WorkerOptions) => run(deps, parts, options),
    get view() {
      return {
        inFlight: pool.inFlight,
        chunks: shelf.held.size + errands.deliveries().length,
        jobs: shelf.runs.size,
        stopping: hangUp.signal.aborted || [...shelf.runs.values()].some((job) => job.stop !== null),
        leaving: departure.begun,
        storageFailing: guard.failing,
        lastCommitMs: recorder.lastCommitMs,
      }
    },
  })
}

type Parts = ReturnType<typeof joinParts>

function joinParts(deps: WorkerDeps) {
  const { runtime, events, store, queue, storagePatienceMs } = deps
  const endless = storagePatienceMs === Number.POSITIVE_INFINITY
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
      // Many machines wait for their database's room together: a job has nothing to do with it.
      if (!endless) stopAll({ kind: 'own', reason: 'storage', detail: 'the disk is full' })
      wake.call()
    },
  })
  const budget: BudgetGate = createBudgetGate(deps, { guard, onStop: () => wake.call(), onDefect: fail })
  const recorder: Recorder = createRecorder({
    store,
    queue,
    runtime,
    events,
    guard,
    grants: budget.books,
    onOutcome: (held, outcome) => shelf.ended(held, outcome),
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
  const common = { recorder, guard, onIdle, onDefect: fail }
  const tenants = createTenantGate({ workerId: deps.workerId, runtime, share: deps.share, fleet: store.fleet })
  const gates = [tenants, budget, createWarmGate(runtime)]
  const pool: Pool = createPool(deps, { ...common, gates, hangUp: hangUp.signal })
  const shelf: Shelf = createShelf(deps, { ...common, pool, room: budget, onParked: wake.call })
  const departure = createDeparture(runtime, { wake, hangUp, leave })
  const errands: Errands = createErrands(deps, {
    guard,
    hangUp: hangUp.signal,
    onEnd: () => wake.call(),
    onDefect: fail,
  })
  /** How many writes had failed when the leases were last renewed. */
  const renewed = { afterFailures: 0 }
  /** When the queue of the one job was last mended. */
  const mended = { atMs: Number.NEGATIVE_INFINITY }
  const parts = { guard, recorder, budget, tenants, pool, shelf, errands }
  return { wake, hangUp, over, end, fail, leave, stopAll, departure, renewed, mended, ...parts }
}

async function run(deps: WorkerDeps, parts: Parts, options: WorkerOptions): Promise<'stood_still' | 'left'> {
  const { wake, over, end, fail, leave, pool, shelf, departure } = parts
  const drainMs = options.drainMs ?? DRAIN_MS
  const ended = new AbortController()
  const onRowsEnded = deps.events.on('rows.ended', ({ jobNo, delta }) => {
    const job = shelf.runs.get(jobNo)
    if (job === undefined) return
    watchErrorRate(job, delta.succeeded, delta.failed)
    if (job.stop !== null) wake.call()
  })
  const onSignal = () => departure.begin(null, drainMs)
  if (options.signal.aborted) onSignal()
  if (options.abandon.aborted) leave()
  options.signal.addEventListener('abort', onSignal, { once: true })
  options.abandon.addEventListener('abort', leave, { once: true })
  const giveUp = (error: unknown) => {
    fail(error)
    throw error
  }
  const beating = heart(deps, parts, drainMs, ended.signal).catch(fail)
  try {
    const how = await Promise.race([end.promise, loop(deps, parts, options).catch(giveUp)])
    if (departure.reason !== null) throw departure.reason
    return how
  } finally {
    ended.abort()
    // Whatever has not come to its end by now is not waited for.
    if (!over.signal.aborted) await beating
    over.abort()
    pool.close()
    departure.over()
    onRowsEnded()
    options.signal.removeEventListener('abort', onSignal)
    options.abandon.removeEventListener('abort', leave)
  }
}

async function heart(deps: WorkerDeps, parts: Parts, drainMs: number, ended: AbortSignal): Promise<void> {
  const { guard, wake, departure, renewed } = parts
  while (!ended.aborted) {
    try {
      await guard.persist(deps.sayAlive)
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'store_version') throw error
      departure.begin(error, drainMs)
    }
    const failures = guard.failures
    await beat(deps, parts)
    renewed.afterFailures = failures
    wake.call()
    await deps.runtime.sleep(HEARTBEAT_MS, ended).catch(() => undefined)
  }
}

async function loop(deps: WorkerDeps, parts: Parts, options: WorkerOptions): Promise<'stood_still' | 'left'> {
  const { wake, over, stopAll, pool, shelf, errands, departure } = parts
  while (!over.signal.aborted) {
    if (departure.begun) stopAll({ kind: 'leave', reason: null, detail: null })
    await settleStops(deps, parts)
    const holdsNothing = shelf.held.size === 0 && errands.deliveries().length === 0
    if (departure.begun && holdsNothing) return 'left'
    if (!departure.begun && (await fill(deps, parts, options))) continue
    if (!departure.begun && holdsNothing && (await isDone(deps, parts, options))) {
      for (const jobNo of [...parts.budget.accounts.keys()]) await parts.budget.leave(jobNo)
      return 'stood_still'
    }
    pool.pump()
    await wake.wait(POLL_MS)
  }
  return 'left'
}

/** Takes up chunks and errands where there is room for them. `false`: there was nothing to be had. */
async function fill(
  deps: WorkerDeps,
  { guard, shelf, errands, renewed }: Parts,
  { chunks, jobNo }: WorkerOptions,
): Promise<boolean> {
  // What it would fetch of a job that is being stopped it would put back at once, message by message; and as long as somebody holds one, no job stops.
  const except = shelf.resting()
  const what = whatToFetch({ held: [...shelf.held], errands: errands.deliveries(), chunks, jobNo, except })
  // A fetch looks for leases that have run out. After an outage our own are renewed first.
  if (what === null || guard.failing || renewed.afterFailures < guard.failures) return false
  const { limit, filter } = what
  const deliveries = (await guard.attempt(() => deps.queue.fetch(deps.workerId, limit, filter))) ?? []
  for (const delivery of deliveries) if (delivery.task.kind !== 'chunk') errands.begin(delivery.task, delivery)
  await shelf.take(deliveries.filter(isOfChunk))
  return deliveries.length > 0
}

function isOfChunk(delivery: Delivery): delivery is ChunkDelivery {
  return delivery.task.kind === 'chunk'
}

/** Whether there is nothing left to stay for. */
async function isDone(deps: WorkerDeps, parts: Parts, { jobNo, untilIdle = false }: WorkerOptions): Promise<boolean> {
  if (jobNo !== null) return standsStill(deps, parts, jobNo)
  return untilIdle && (await parts.guard.persist(() => isIdle(deps)))
}

/** Whether no job is to be worked on, none is about to be, and no batch waits for its check or its files. */
async function isIdle({ store, queue, runtime }: WorkerDeps): Promise<boolean> {
  const isBatchDue = async () => (await store.openAiBatches.due(runtime.now(), 1)).length > 0
  if (await isBatchDue()) return false
  const { ready, delayed, leased } = await queue.total()
  if (ready + delayed + leased > 0) return false
  if ((await store.fleet.active(0, 1)).length > 0) return false
  // A job that has ended meanwhile may have been a batch's.
  return !(await isBatchDue())
}

/** Whether the one job that this worker is for can be left: over, paused, or gone. Mends a queue that lost a message. */
async function standsStill(deps: WorkerDeps, { guard, mended }: Parts, jobNo: number): Promise<boolean> {
  const look = async () => (await guard.persist(() => deps.store.jobs.controls([jobNo])))[0]
  const before = await look()
  if (before === undefined) return true
  if (before.wanted !== null) await guard.persist(() => deps.fulfilWish(jobNo))
  else if (deps.runtime.elapsed() - mended.atMs >= MEND_MS) {
    // A job whose rows are all out in batches has no messages for hours.
    mended.atMs = deps.runtime.elapsed()
    await guard.persist(() => deps.mendQueue(jobNo))
  }
  const after = await look()
  return after === undefined || !(WORKABLE.has(after.state) || after.state === 'finalizing')
}
