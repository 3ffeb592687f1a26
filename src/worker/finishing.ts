import { StorageFailure } from '../domain/storage-failure.ts'
import type { Delivery, Task } from '../queue/queue.ts'
import type { StorageGuard } from './storage-guard.ts'
import type { WorkerDeps } from './worker-deps.ts'

/** Ends of rounds that this worker brings about, beside the rows of other jobs: results of a million rows take minutes to write. */
export interface Finishing {
  /** Their messages, which must be kept as long. */
  deliveries(): readonly Delivery[]
  /** Begins. Whoever is frozen on the way and loses the message stops; a worker that has to go gives it back. */
  begin(task: FinalizeTask, delivery: Delivery): void
  /** Its message was lost to another worker: two must not write the same file. */
  lose(delivery: Delivery): void
}

export type FinalizeTask = Task & { readonly kind: 'finalize' }

interface FinishingPartners {
  readonly guard: StorageGuard
  /** This worker goes: what is not done is given back. */
  readonly hangUp: AbortSignal
  /** Hears of each end. */
  readonly onEnd: () => void
  readonly onDefect: (error: unknown) => void
}

/** Creates the finishing of one worker. */
export function createFinishing(deps: WorkerDeps, partners: FinishingPartners): Finishing {
  const { guard, hangUp, onEnd, onDefect } = partners
  const { store, queue } = deps
  const running = new Map<Delivery, { readonly lost: AbortController; readonly over: Promise<void> }>()

  const finish = async (task: FinalizeTask, delivery: Delivery, lost: AbortSignal) => {
    const stop = AbortSignal.any([lost, hangUp])
    try {
      await guard.persist(() => deps.finalize(task.jobNo, task.round, stop))
    } catch (error) {
      // Where it dies by itself the message stays with this worker: so its deliveries are counted, and do not go on for ever.
      if (!stop.aborted) throw error
      if (!lost.aborted) await store.write((tx) => queue.release(tx, delivery, 0)).catch(unlessStorage)
      return
    }
    await guard.persist(() => store.write((tx) => queue.complete(tx, delivery)))
  }

  const lose = (delivery: Delivery) => running.get(delivery)?.lost.abort(new Error('another worker ends this round'))
  /** What is still under way of the same round: a message that was lost may come back to the same worker. */
  const earlier = async ({ jobNo, round }: FinalizeTask) => {
    for (const [delivery, { over }] of running) {
      const { task } = delivery
      if (task.kind !== 'finalize' || task.jobNo !== jobNo || task.round !== round) continue
      lose(delivery)
      await over
    }
  }

  return Object.freeze({
    deliveries: () => [...running.keys()],
    begin(task: FinalizeTask, delivery: Delivery) {
      const lost = new AbortController()
      const over = earlier(task)
        .then(() => finish(task, delivery, lost.signal))
        .catch(onDefect)
        .finally(() => {
          running.delete(delivery)
          onEnd()
        })
      running.set(delivery, { lost, over })
    },
    lose,
  })
}

/** A message that cannot be given back comes again when its lease has run out. */
function unlessStorage(error: unknown): void {
  if (!(error instanceof StorageFailure)) throw error
}
