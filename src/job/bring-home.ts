import { failure } from '../domain/failure.ts'
import type { Job } from '../domain/job.ts'
import type { BatchFigures } from '../store/role/batches.ts'
import type { JobDeps } from './job-deps.ts'

/** Chunks that are settled in one go. */
const PAGE = 100

/**
 * Brings home what a job that is to end has in batches: what was not sent is taken back, what is at the provider is to be cancelled there, and
 * what has come back is booked, since it is paid for. `false`: something is still out, and somebody has to call again. Nobody may hold a message of
 * the job.
 */
export async function bringHome(deps: JobDeps, job: Job): Promise<boolean> {
  const { store, queue, runtime } = deps
  const { jobNo } = job
  const before = await store.batches.outstanding(jobNo)
  if (before.packed > 0 || before.shards.some(({ state }) => state === 'planned')) {
    await store.write(async (tx) => {
      await store.chunks.takeBack(tx, jobNo)
      await queue.purge(tx, jobNo)
      await store.batches.withdraw(tx, jobNo, failure('cancelled', 'the job has ended before it was sent'))
    })
  }
  const isUnasked = before.shards.some(({ state, cancelWantedMs }) => state !== 'planned' && cancelWantedMs === null)
  if (isUnasked) await store.batches.wantCancel(jobNo, runtime.now())
  for (;;) {
    const chunks = await store.batches.toSettle(jobNo, PAGE)
    if (chunks.length === 0) break
    // What cannot be settled now is there in the next turn.
    for (const ref of chunks) await deps.settleChunk(ref)
    if (chunks.length < PAGE) break
  }
  return isHome(await store.batches.outstanding(jobNo))
}

function isHome({ packed, placed, answered }: BatchFigures): boolean {
  return packed + placed + answered === 0
}
