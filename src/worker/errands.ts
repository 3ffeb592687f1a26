import { StorageFailure } from '../domain/storage-failure.ts'
import type { Delivery, Task } from '../queue/queue.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/**
 * What this worker does for jobs as a whole, beside the rows of others: it reads inputs, and brings rounds to their end. Both take minutes for a million
 * rows.
 */
export interface Errands {
  /** Their messages, which must be kept as long. */
  deliveries(): readonly Delivery[]
  /** Begins. Whoever is frozen on the way and loses the message stops; a worker that has to go gives it back. */
  begin(task: ErrandTask, delivery: Delivery): void
  /** Its message was lost to another worker: two must not write the same file. */
  lose(delivery: Delivery): void
}

export type ErrandTask = Exclude<Task, { readonly kind: 'chunk' }>

interface ErrandPartners {
  readonly guard: StorageGuard
  /** This worker goes: what is not done is given back. */
  readonly hangUp: AbortSignal
  /** Hears of each end. */
  readonly onEnd: () => void
  readonly onDefect: (error: unknown) => void
}

/** Creates the errands of one worker. */
export function createErrands(deps: WorkerDeps, partners: ErrandPartners): Errands {
  const { guard, hangUp, onEnd, onDefect } = partners
  const { store, queue } = deps
  const running = new Map<
    Delivery,
    { readonly task: ErrandTask; readonly lost: AbortController; over: Promise<void> }
  >()

  /** Does it. Returns after how long it is to be asked for again, ms; `null`: it is done. */
  const run = async (task: ErrandTask, stop: AbortSignal): Promise<number | null> => {
    if (task.kind === 'intake') return deps.readInput(task.jobNo, stop)
    await deps.finalize(task.jobNo, task.round, stop)
    return null
  }

  const finish = async (task: ErrandTask, delivery: Delivery, lost: AbortSignal) => {
    const stop = AbortSignal.any([lost, hangUp])
    let againMs: number | null
    try {
      againMs = await guard.persist(() => run(task, stop))
    } catch (error) {
      // Where it dies by itself the message stays with this worker: so its deliveries are counted, and do not go on for ever.
      if (!stop.aborted) throw error
      if (!lost.aborted) await store.write((tx) => queue.release(tx, delivery, 0)).catch(unlessStorage)
      return
    }
    await guard.persist(() =>
      store.write((tx) => (againMs === null ? queue.complete(tx, delivery) : queue.release(tx, delivery, againMs))),
    )
  }

  const lose = (delivery: Delivery) => running.get(delivery)?.lost.abort(new Error('another worker does this'))
  /** What is still under way of the same task: a message that was lost may come back to the same worker. */
  const earlier = async (task: ErrandTask) => {
    for (const [delivery, other] of running) {
      if (other.task === task || !isSame(other.task, task)) continue
      lose(delivery)
      await other.over
    }
  }

  return Object.freeze({
    deliveries: () => [...running.keys()],
    begin(task: ErrandTask, delivery: Delivery) {
      const lost = new AbortController()
      const over = earlier(task)
        .then(() => finish(task, delivery, lost.signal))
        .catch(onDefect)
        .finally(() => {
          running.delete(delivery)
          onEnd()
        })
      running.set(delivery, { task, lost, over })
    },
    lose,
  })
}

function isSame(a: ErrandTask, b: ErrandTask): boolean {
  if (a.kind !== b.kind || a.jobNo !== b.jobNo) return false
  return a.kind === 'intake' || b.kind === 'intake' || a.round === b.round
}

/** A message that cannot be given back comes again when its lease has run out. */
function unlessStorage(error: unknown): void {
  if (!(error instanceof StorageFailure)) throw error
}
