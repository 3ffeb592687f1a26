import type { Chunk, ChunkClaim } from '../domain/chunk.ts'
import type { Outcome } from '../domain/row.ts'
import { SluiceError } from '../errors.ts'
import type { Delivery, Task } from '../queue/queue.ts'
import type { ClaimedChunk } from '../store/store.ts'
import { createBatchDesk } from './batch-desk.ts'
import type { BatchRoom } from './budget-batch.ts'
import { type HeldChunk, type RowTask, staysHere } from './held-chunk.ts'
import { applyCeilings, enqueueNext, finalizeMessage, type JobRun, WORKABLE } from './job-run.ts'
import { createLeftToOthers, LEFT_MS } from './left-to-others.ts'
import { chunkFailure, type OpenedChunk, openChunk } from './open-chunk.ts'
import type { Packing } from './pack.ts'
import { waitMs } from './parking.ts'
import type { Pool } from './pool.ts'
import type { Recorder } from './recorder.ts'
import { isOut } from './returned.ts'
import { createReuse } from './reuse.ts'
import { settleRow } from './send-row.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** What a worker holds: its chunks, and the jobs that they belong to. */
export interface Shelf {
  readonly held: ReadonlySet<HeldChunk>
  readonly runs: ReadonlyMap<number, JobRun>
  /** Deliveries that are being taken in: their leases are renewed like those of the chunks held. */
  readonly arriving: ReadonlySet<Delivery>
  /** Jobs of which nothing is to be fetched just now: they are being stopped, here or elsewhere, or left to others. */
  resting(): readonly number[]
  /** Takes deliveries in, a job's one after the other, and several jobs' at the same time: claims and opens their chunks. */
  take(deliveries: readonly ChunkDelivery[]): Promise<void>
  /** A chunk whose closing commit has returned, or that was lost: it leaves the shelf. */
  remove(held: HeldChunk): void
  /** Gives a chunk back whose rows under way have ended: `ready`, for any worker. */
  giveBack(held: HeldChunk): Promise<void>
  /** To be told of each outcome that was handed to the recorder: rows may wait for it. */
  ended(held: HeldChunk, outcome: Outcome): void
  /** Forgets a job of which nothing is held. */
  forget(jobNo: number): void
}

/** After this a message comes again whose chunk is not to be worked on just now. */
const COME_AGAIN_MS = 1_000

/** After this a chunk is looked at again that was taken up while rows of it were out in a batch. */
const STILL_OUT_MS = 5 * 60_000

/** A delivery that was taken out of the queue longer ago than this may have been lost since. */
const LEASE_DOUBT_MS = 5_000

type ChunkTask = Task & { readonly kind: 'chunk' }

/** A delivery that asks for work on a chunk. */
export type ChunkDelivery = Delivery & { readonly task: ChunkTask }

interface ShelfPartners {
  readonly recorder: Recorder
  readonly guard: StorageGuard
  readonly pool: Pool
  readonly room: BatchRoom
  /** Hears when a chunk has no row under way any more. */
  readonly onIdle: (held: HeldChunk) => void
  /** Hears when a chunk was parked: there is room for another. */
  readonly onParked: () => void
  readonly onDefect: (error: unknown) => void
}

/** Creates the empty shelf of one worker. */
export function createShelf(deps: WorkerDeps, partners: ShelfPartners): Shelf {
  const { recorder, guard, pool, room, onParked, onIdle, onDefect } = partners
  const { store, events } = deps
  const held = new Set<HeldChunk>()
  const runs = new Map<number, JobRun>()
  const arriving = new Set<Delivery>()
  /** Until when nothing is to be fetched of a job that had something wanted of it, or is left to others. */
  const restsUntilMs = new Map<number, number>()
  const leftToOthers = createLeftToOthers(deps, guard)

  const runOf = async ({ job }: ClaimedChunk): Promise<JobRun> => {
    const known = runs.get(job.jobNo)
    if (known !== undefined && known.job.round === job.round) return known
    const run = await guard.persist(() => deps.takeUp(job))
    runs.set(job.jobNo, run)
    applyCeilings(deps.governor, runs.values())
    return run
  }

  const work = async (claimed: ClaimedChunk, delivery: Delivery) => {
    const run = await runOf(claimed)
    const { chunk } = claimed
    if (run.stop !== null) return putBack(deps, guard, chunk, delivery, COME_AGAIN_MS)
    const gaveUp = chunk.deaths >= run.spec.execution.chunkAttempts
    const opened = gaveUp ? null : await guard.persist(() => openChunk(deps, run, claimed, delivery))
    if (gaveUp && !(await isWaiting(deps, guard, chunk))) return giveUp(deps, guard, run, claimed, delivery)
    // Its message stays: what is out may come back at this moment, and nobody else would call it.
    if (opened === null) return putBack(deps, guard, chunk, delivery, STILL_OUT_MS, 'parked')
    const { jobNo, chunkNo, epoch, rows } = chunk
    held.add(opened.held)
    const { id: jobId, tenantNo } = run.job
    events.emit('chunk.claimed', { jobNo, jobId, tenantNo, chunkNo, epoch, rows, lost: claimed.lost })
    if (opened.held.open === 0) recorder.close(opened.held)
    for (const outcome of opened.outcomes) recorder.end(opened.held, null, outcome)
    await reuse.admit([...(await settleReturned(opened)), ...opened.tasks])
    // One that is over has been taken off the desk.
    if (!opened.held.closed) desk.open(opened.held)
  }

  /** Books what has come back by batch; returns the rows that ask again. Those that led others come first, and lead again. */
  const settleReturned = async ({ held: chunk, returned, tasks }: OpenedChunk): Promise<readonly RowTask[]> => {
    const again = returned.filter(({ task, sent }) => settleRow(deps, recorder, task, sent).wait !== null)
    if (chunk.parts.length === 0) return []
    recorder.settle(chunk)
    // Rows that are to be asked find the answers of those with the same request, and what was held of the budget for the parts is free. Where none is,
    // the next chunk need not wait: several are written down together.
    if (again.length + tasks.length > 0) await recorder.flush()
    return again.map(({ task }) => task)
  }

  const takeChunk = async (delivery: ChunkDelivery) => {
    const { task } = delivery
    const died = delivery.deliveries > 1
    const claimed = await guard.persist(() => store.chunks.claim(task, deps.workerId, died, deps.runtime.now()))
    if (claimed === null) {
      if (await decline(deps, guard, task, delivery)) restsUntilMs.set(task.jobNo, deps.runtime.now() + COME_AGAIN_MS)
      return
    }
    try {
      await work(claimed, delivery)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      const isKeyMissing = error.code === 'credentials_missing'
      if (isKeyMissing && (await leftToOthers.leave(task.jobNo))) {
        restsUntilMs.set(task.jobNo, deps.runtime.now() + LEFT_MS)
        const message = `${error.message}: left to other workers`
        events.emit('duty.failed', { role: 'worker', jobNo: task.jobNo, message })
        return putBack(deps, guard, claimed.chunk, delivery, 0)
      }
      // The job as it is cannot be worked on (a key is missing, its snapshot is damaged): nothing is lost, and the user is told.
      const reason = isKeyMissing ? 'credentials' : 'error'
      await guard.persist(() => store.jobs.want(task.jobNo, 'pause', reason, `${error.message}. ${error.hint}`))
      await putBack(deps, guard, claimed.chunk, delivery, COME_AGAIN_MS)
      await guard.persist(() => deps.fulfilWish(task.jobNo))
    }
  }

  const giveBack = async (chunk: HeldChunk, to: 'ready' | 'parked', ms: number) => {
    if (!chunk.closed && !chunk.stale) {
      const { claim } = chunk
      await putBack(deps, guard, claim, chunk.delivery, ms, to, chunk.tokens)
      chunk.closed = true
      events.emit('chunk.released', { jobNo: claim.jobNo, chunkNo: claim.chunkNo })
    }
    held.delete(chunk)
    desk.leave(chunk)
    reuse.leave(chunk)
  }

  // Where all that is left of a chunk waits for rows of other workers.
  const park = (chunk: HeldChunk, ms: number) => giveBack(chunk, 'parked', ms).then(onParked)
  const onPacked = async (chunk: HeldChunk, packing: Packing) => {
    if (packing === 'packed') {
      chunk.closed = true
      const { jobNo, chunkNo } = chunk.claim
      events.emit('chunk.released', { jobNo, chunkNo })
      await giveBack(chunk, 'parked', 0)
      onParked()
    } else if (packing === 'lost') chunk.stale = true
    else if (staysHere(chunk)) await park(chunk, waitMs(chunk))
  }
  const desk = createBatchDesk(deps, { recorder, guard, pool, room, onPacked, onIdle, onDefect })
  const reuse = createReuse(deps, { recorder, guard, pool: desk, park, onDefect })

  return Object.freeze({
    held,
    runs,
    arriving,
    resting() {
      const now = deps.runtime.now()
      for (const [jobNo, untilMs] of restsUntilMs) if (untilMs <= now) restsUntilMs.delete(jobNo)
      const stopping = [...runs].filter(([, run]) => run.stop !== null).map(([jobNo]) => jobNo)
      return [...new Set([...stopping, ...restsUntilMs.keys()])]
    },
    async take(deliveries: readonly ChunkDelivery[]) {
      for (const delivery of deliveries) arriving.add(delivery)
      const fetchedAtMs = deps.runtime.now()
      const takeInTurn = async (ofJob: readonly ChunkDelivery[]) => {
        for (const delivery of ofJob) {
          const inDoubt = deps.runtime.now() - fetchedAtMs > LEASE_DOUBT_MS
          if (!inDoubt || (await isStillHeld(deps, guard, delivery))) await takeChunk(delivery)
          arriving.delete(delivery)
        }
      }
      await Promise.all([...Map.groupBy(deliveries, ({ task }) => task.jobNo).values()].map(takeInTurn))
      // What this worker held back for a moment may have been all that the wish still waited for.
      for (const jobNo of new Set(deliveries.map(({ task }) => task.jobNo)))
        if (restsUntilMs.has(jobNo)) await guard.persist(() => deps.fulfilWish(jobNo))
    },
    remove(chunk: HeldChunk) {
      held.delete(chunk)
      pool.drop(chunk)
      desk.leave(chunk)
      reuse.leave(chunk)
    },
    giveBack: (chunk: HeldChunk) => giveBack(chunk, 'ready', 0),
    ended(chunk: HeldChunk, outcome: Outcome) {
      reuse.ended(chunk, outcome)
      desk.ended(chunk, outcome)
    },
    forget: (jobNo: number) => void runs.delete(jobNo),
  })
}

/** A process that was frozen on the way must not claim a chunk that another has taken up meanwhile: it would fence that one off. */
async function isStillHeld({ queue }: WorkerDeps, guard: StorageGuard, delivery: Delivery): Promise<boolean> {
  return (await guard.persist(() => queue.extend([delivery]))).length > 0
}

/** Makes a claimed chunk `ready` (or `parked`) again. Where its epoch has passed, its message is somebody else's too. */
function putBack(
  { store, queue }: WorkerDeps,
  guard: StorageGuard,
  claim: ChunkClaim,
  delivery: Delivery,
  ms: number,
  to: 'ready' | 'parked' = 'ready',
  tokens = 0,
) {
  const { jobNo, chunkNo, epoch } = claim
  return guard.persist(() =>
    store.write(async (tx) => {
      if (await store.chunks.release(tx, { jobNo, chunkNo, epoch }, to)) await queue.release(tx, delivery, ms, tokens)
    }),
  )
}

/**
 * A chunk that was not to be had. Its message goes, unless the chunk is open and something is only wanted of its job: the wish may be withdrawn,
 * and then nobody else would put the message back. Returns whether it comes again.
 */
function decline({ store, queue }: WorkerDeps, guard: StorageGuard, task: ChunkTask, delivery: Delivery) {
  return guard.persist(() =>
    store.write(async (tx) => {
      // Whoever resumes the job relies on the messages that are there.
      await store.jobs.lock(tx, task.jobNo, 'shared')
      const chunk = await store.chunks.get(task)
      const [control] = await store.jobs.controls([task.jobNo])
      const isOpen = chunk !== null && chunk.state !== 'done' && chunk.state !== 'failed'
      const comesAgain = isOpen && control !== undefined && WORKABLE.has(control.state)
      if (comesAgain) await queue.release(tx, delivery, COME_AGAIN_MS)
      else await queue.complete(tx, delivery)
      return comesAgain
    }),
  )
}

/** Whether rows of the chunk are out in a batch. */
async function isWaiting({ store }: WorkerDeps, guard: StorageGuard, chunk: Chunk): Promise<boolean> {
  return (await guard.persist(() => store.batches.ofChunk(chunk))).some(isOut)
}

/** A chunk that kills whoever holds it: its rows without outcome become dead letters, and the job goes on. */
async function giveUp(deps: WorkerDeps, guard: StorageGuard, run: JobRun, claimed: ClaimedChunk, delivery: Delivery) {
  const { store, queue, runtime } = deps
  const { chunk } = claimed
  const rows = await guard.persist(() => deps.readRows(chunk, run))
  const ended = await guard.persist(() => store.rows.ended(chunk.jobNo, chunk.firstRow, chunk.rows))
  const pending = rows.filter((row) => !ended.has(row.index)).map((row) => ({ index: row.index, id: row.id }))
  const { message } = chunkFailure(chunk.deaths)
  const result = await guard.persist(() =>
    store.write(async (tx) => {
      const result = await store.chunks.fail(tx, chunk, message, pending, runtime.now())
      if (result === 'stale') return result
      await queue.complete(tx, delivery)
      if (result === 'last') await queue.enqueue(tx, [finalizeMessage(run)])
      else await enqueueNext(deps, tx, run)
      return result
    }),
  )
  if (result === 'stale') return
  const { jobNo, id: jobId, tenantNo } = run.job
  deps.events.emit('chunk.failed', { jobNo, jobId, tenantNo, chunkNo: chunk.chunkNo, rows: pending.length })
}
