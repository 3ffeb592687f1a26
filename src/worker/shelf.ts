import { SluiceError } from '../errors.ts'
import type { Delivery } from '../queue/queue.ts'
import type { ClaimedChunk } from '../store/store.ts'
import { applySettings } from './heartbeat.ts'
import type { HeldChunk } from './held-chunk.ts'
import { type JobRun, order } from './job-run.ts'
import { chunkFailure, openChunk } from './open-chunk.ts'
import type { Pool } from './pool.ts'
import type { Recorder } from './recorder.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** What a worker holds: its chunks, and the jobs that they belong to. */
export interface Shelf {
  readonly held: ReadonlySet<HeldChunk>
  readonly runs: ReadonlyMap<number, JobRun>
  /** Takes a delivery in: claims and opens its chunk, or finalizes its job. */
  take(delivery: Delivery): Promise<void>
  /** A chunk whose closing commit has returned, or that was lost: it leaves the shelf. */
  remove(held: HeldChunk): void
  /** Gives a chunk back whose rows under way have ended: `ready`, for any worker. */
  giveBack(held: HeldChunk): Promise<void>
  /** Forgets a job of which nothing is held. */
  forget(jobNo: number): void
}

/** Creates the empty shelf of one worker. */
export function createShelf(deps: WorkerDeps, more: { readonly recorder: Recorder; readonly guard: StorageGuard; readonly pool: Pool }): Shelf {
  const { store, queue, runtime, events } = deps
  const { recorder, guard, pool } = more
  const held = new Set<HeldChunk>()
  const runs = new Map<number, JobRun>()

  const runOf = async (claimed: ClaimedChunk): Promise<JobRun> => {
    const known = runs.get(claimed.job.jobNo)
    if (known !== undefined && known.job.round === claimed.job.round) return known
    const run = await deps.takeUp(claimed.job)
    runs.set(claimed.job.jobNo, run)
    applySettings(deps, run, claimed.job.settings)
    return run
  }
  const finish = (delivery: Delivery) => guard.persist(() => store.write(async (tx) => void (await queue.complete(tx, delivery))))

  const putBack = (claimed: ClaimedChunk, delivery: Delivery) =>
    guard.persist(() =>
      store.write(async (tx) => {
        const { jobNo, chunkNo, epoch } = claimed.chunk
        if (await store.chunks.release(tx, { jobNo, chunkNo, epoch }, 'ready')) await queue.release(tx, delivery, 0)
      }),
    )

  /** A chunk that kills whoever holds it: its rows without outcome become dead letters, and the job goes on. */
  const giveUp = async (run: JobRun, claimed: ClaimedChunk, delivery: Delivery) => {
    const { chunk } = claimed
    const rows = await deps.readRows(chunk, run)
    const ended = await store.rows.ended(chunk.jobNo, chunk.firstRow, chunk.rows)
    const pending = rows.filter((row) => !ended.has(row.index)).map((row) => ({ index: row.index, id: row.id }))
    await guard.persist(() =>
      store.write(async (tx) => {
        const claim = { jobNo: chunk.jobNo, chunkNo: chunk.chunkNo, epoch: chunk.epoch }
        const result = await store.chunks.fail(tx, claim, chunkFailure(chunk.deaths).message, pending, runtime.now())
        if (result === 'stale') return
        await queue.complete(tx, delivery)
        if (result === 'last') await queue.enqueue(tx, [finalizeTask(run)])
      }),
    )
  }

  const work = async (claimed: ClaimedChunk, delivery: Delivery) => {
    const run = await runOf(claimed)
    if (run.stop !== null) return putBack(claimed, delivery)
    if (claimed.chunk.deaths >= run.spec.execution.chunkAttempts) return giveUp(run, claimed, delivery)
    const opened = await openChunk(deps, run, claimed, delivery)
    const { jobNo, chunkNo, epoch, rows } = claimed.chunk
    held.add(opened.held)
    events.emit('chunk.claimed', { jobNo, chunkNo, epoch, rows, lost: claimed.lost })
    if (opened.held.open === 0) recorder.close(opened.held)
    for (const outcome of opened.outcomes) recorder.end(opened.held, null, outcome)
    pool.add(opened.tasks)
  }

  const takeChunk = async (delivery: Delivery & { readonly task: { readonly kind: 'chunk' } }) => {
    const { task } = delivery
    const claimed = await guard.persist(() => store.chunks.claim(task as never, deps.workerId, delivery.deliveries > 1, runtime.now()))
    if (claimed === null) {
      await finish(delivery)
      return
    }
    try {
      await work(claimed, delivery)
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      // The job as it is cannot be worked on (a key is missing, its snapshot is damaged): nothing is lost, and the user is told.
      const reason = error.code === 'credentials_missing' ? 'credentials' : 'error'
      await store.jobs.want(claimed.job.jobNo, 'pause', reason, `${error.message}. ${error.hint}`)
      await putBack(claimed, delivery)
      await deps.fulfilWish(claimed.job.jobNo)
    }
  }

  return Object.freeze({
    held,
    runs,
    async take(delivery: Delivery) {
      if (delivery.task.kind === 'chunk') return takeChunk(delivery as Delivery & { readonly task: { readonly kind: 'chunk' } })
      await deps.finalize(delivery.task.jobNo, delivery.task.round)
      await finish(delivery)
    },
    remove: (chunk: HeldChunk) => void held.delete(chunk),
    async giveBack(chunk: HeldChunk) {
      if (!chunk.closed && !chunk.stale) {
        const { run, claim, delivery } = chunk
        await putBack({ chunk: { ...chunk.chunk, ...claim }, job: run.job, lost: 0 }, delivery)
        events.emit('chunk.released', { jobNo: claim.jobNo, chunkNo: claim.chunkNo })
      }
      held.delete(chunk)
    },
    forget: (jobNo: number) => void runs.delete(jobNo),
  })
}

function finalizeTask(run: JobRun) {
  return {
    task: { kind: 'finalize' as const, jobNo: run.job.jobNo, round: run.job.round },
    tenantNo: run.job.tenantNo,
    priority: 'high' as const,
  }
}

/** Applies `pause_if` after rows ended. */
export function watchErrorRate(run: JobRun, ok: number, failed: number): void {
  run.ended = { ok: run.ended.ok + ok, failed: run.ended.failed + failed }
  const rule = run.spec.pauseIf
  const ended = run.ended.ok + run.ended.failed
  if (rule === null || ended < rule.afterRows || run.ended.failed / ended <= rule.failedOver) return
  const share = Math.floor((run.ended.failed / ended) * 1000) / 10
  order(run, { kind: 'own', reason: 'error_rate', detail: `${run.ended.failed} of ${ended} rows failed (${share} %), over pause_if.failed_over` })
}
