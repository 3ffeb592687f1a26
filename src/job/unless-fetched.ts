import type { StoreTx } from '../domain/store-tx.ts'
import type { Queue } from '../queue/queue.ts'

/** Rolls a change back: a worker has just taken a message that it was about to remove. */
class Fetched extends Error {}

/** Removes the messages of a job of which nobody holds any. Where somebody has fetched one since he was asked after, `unlessFetched` begins anew. */
export async function purgeIdle(queue: Queue, tx: StoreTx, jobNo: number): Promise<void> {
  if ((await queue.purge(tx, jobNo)) > 0) throw new Fetched()
}

/**
 * Makes a change that looks at what is held of a job, and purges what is not. A fetch waits for no lock of the job: one that comes in between is
 * seen by the purge, the change is rolled back, and made again beside what is held now.
 */
export async function unlessFetched<T>(change: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await change()
    } catch (error) {
      if (!(error instanceof Fetched)) throw error
    }
  }
}
