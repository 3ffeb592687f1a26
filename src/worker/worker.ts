import type { StorageFailure } from '../domain/storage-failure.ts'
import { beat, HEARTBEAT_MS } from './heartbeat.ts'
import type { HeldChunk } from './held-chunk.ts'
import { order } from './job-run.ts'
import { createPool } from './pool.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createShelf, type Shelf, watchErrorRate } from './shelf.ts'
import { createStorageGuard } from './storage-guard.ts'
import { createWake } from './wake.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** How long rows in flight may take to end after a signal; then they are hung up on. */
export const DRAIN_MS = 10_000
/** A heartbeat this old is none: well below the time of a lease. */
const OVERDUE_MS = 5_000
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
  /** Resolves when the job stands still, or after leaving. Rejects with a StorageFailure when the store did not come back, with a defect else. */
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
  const { runtime, events, store, queue } = deps
  const wake = createWake(runtime)
  const guard = createStorageGuard({ runtime, events, freeBallast: () => store.freeBallast() })
  const hangUp = new AbortController()
  let broken: unknown = null
  const fail = (error: unknown) => {
    broken ??= error
    wake.call()
  }
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
  })
  let beatAtMs = runtime.elapsed()
  const beatOnce = async () => {
    await beat(deps, guard, shelf.held, shelf.runs)
    beatAtMs = runtime.elapsed()
  }
  const pool = createPool(deps, {
    recorder,
    guard,
    abandon: hangUp.signal,
    onIdle: () => wake.call(),
    onDefect: (_held, error) => fail(error),
    // A process that was stopped and woken again asks before it sends: its leases may have gone to somebody else meanwhile.
    async stillOurs(held) {
      if (runtime.elapsed() - beatAtMs > OVERDUE_MS) await beatOnce()
      return !held.stale
    },
  })
  const shelf: Shelf = createShelf(deps, { recorder, guard, pool })
  guard.onFull(() => {
    for (const run of shelf.runs.values()) order(run, { kind: 'own', reason: 'storage', detail: 'the disk is full' })
  })
  guard.onGaveUp((failure: StorageFailure) => fail(failure))
  events.on('rows.ended', ({ jobNo, delta }) => {
    const run = shelf.runs.get(jobNo)
    if (run !== undefined) watchErrorRate(run, delta.succeeded, delta.failed)
  })

  /** Rows of stopped jobs go back; when the last chunk of a job is back, what is wanted of it is done. */
  const settleStops = async () => {
    for (const [jobNo, run] of shelf.runs) {
      if (run.stop === null) continue
      if (run.stop.kind === 'own') {
        const { reason, detail } = run.stop
        await guard.persist(() => store.jobs.want(jobNo, 'pause', reason, detail))
      }
      const mine = [...shelf.held].filter((held) => held.claim.jobNo === jobNo)
      for (const held of mine) pool.drop(held)
      const idle = mine.filter((held) => held.inFlight === 0)
      if (idle.length > 0) await recorder.flush()
      for (const held of idle) await shelf.giveBack(held)
      if (mine.length > idle.length) continue
      if (run.stop.kind !== 'leave') await guard.persist(() => deps.fulfilWish(jobNo))
      shelf.forget(jobNo)
    }
    for (const held of [...shelf.held]) if (held.stale && held.inFlight === 0) shelf.remove(held)
  }

  const fill = async (options: WorkerOptions): Promise<boolean> => {
    const room = options.chunks - [...shelf.held].filter((held: HeldChunk) => !held.closed && !held.stale).length
    if (room <= 0 || guard.failing) return false
    await guard.persist(() => queue.reclaim(deps.isGone))
    const filter = options.jobNo === null ? {} : { jobNo: options.jobNo }
    const deliveries = await guard.persist(() => queue.fetch(deps.workerId, room, filter))
    for (const delivery of deliveries) await shelf.take(delivery)
    return deliveries.length > 0
  }

  /** Whether the one job that this worker is for can be left: over, paused, or gone. Mends a queue that lost a message. */
  const standsStill = async (jobNo: number): Promise<boolean> => {
    const [control] = await guard.persist(() => store.jobs.controls([jobNo]))
    if (control === undefined) return true
    if (control.wanted !== null) await guard.persist(() => deps.fulfilWish(jobNo))
    const [after] = await guard.persist(() => store.jobs.controls([jobNo]))
    return (
      after === undefined || !(after.state === 'queued' || after.state === 'running' || after.state === 'finalizing')
    )
  }

  const heart = async (ended: AbortSignal) => {
    while (!ended.aborted) {
      await beatOnce()
      wake.call()
      await runtime.sleep(HEARTBEAT_MS, ended).catch(() => {})
    }
  }

  const loop = async (options: WorkerOptions): Promise<'stood_still' | 'left'> => {
    while (true) {
      if (broken !== null) throw broken
      if (options.abandon.aborted) return 'left'
      if (options.signal.aborted)
        for (const run of shelf.runs.values()) order(run, { kind: 'leave', reason: null, detail: null })
      await settleStops()
      if (options.signal.aborted) {
        if (shelf.held.size === 0) return 'left'
      } else if (await fill(options)) {
        continue
      } else if (options.jobNo !== null && shelf.held.size === 0 && (await standsStill(options.jobNo))) {
        return 'stood_still'
      }
      pool.pump()
      await wake.wait(POLL_MS)
    }
  }

  return Object.freeze({
    async run(options: WorkerOptions) {
      const ended = new AbortController()
      const hang = () => hangUp.abort()
      let cancelDrain = () => {}
      const onSignal = () => {
        wake.call()
        cancelDrain = runtime.after(DRAIN_MS, hang)
      }
      const onAbandon = () => {
        hang()
        wake.call()
      }
      if (options.signal.aborted) onSignal()
      options.signal.addEventListener('abort', onSignal, { once: true })
      options.abandon.addEventListener('abort', onAbandon, { once: true })
      const beating = heart(ended.signal).catch(fail)
      try {
        return await loop(options)
      } finally {
        ended.abort()
        cancelDrain()
        options.signal.removeEventListener('abort', onSignal)
        options.abandon.removeEventListener('abort', onAbandon)
        await beating
      }
    },
    get view() {
      return {
        inFlight: pool.inFlight,
        stopping: hangUp.signal.aborted || [...shelf.runs.values()].some((run) => run.stop !== null),
        storageFailing: guard.failing,
        lastCommitMs: recorder.lastCommitMs,
      }
    },
  })
}
