import type { BatchShard, ShardState } from '../domain/batch.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { removeLeftResults } from './batch-files.ts'
import { BATCH_TIMES, type BatcherDeps, type BatchWork, changeShard, tellTrouble } from './batch-work.ts'
import { collectShard } from './collect.ts'
import { planShards } from './plan-shards.ts'
import { waitBeforeLook } from './poll-interval.ts'
import { createQueueRooms } from './queue-room.ts'
import { reconcileShard } from './reconcile.ts'
import { createShardPolicies } from './shard-policy.ts'
import { submitShard } from './submission.ts'
import { watchShard } from './watch.ts'

/** A step takes one shard on from a state; it resolves when it has done what could be done now. */
interface Step {
  readonly states: readonly ShardState[]
  /** Shards that it works on at once: as many uploads and downloads as a small machine bears, and rather more questions. */
  readonly atOnce: number
  readonly take: (work: BatchWork, shard: BatchShard, ended: AbortSignal) => Promise<void>
}

const STEPS: readonly Step[] = [
  { states: ['planned'], atOnce: 2, take: submitShard },
  { states: ['submitting', 'unclear'], atOnce: 2, take: reconcileShard },
  { states: ['submitted'], atOnce: 8, take: watchShard },
  { states: ['ended'], atOnce: 2, take: collectShard },
]

/** Shards of one step that are looked at in a turn. */
const PAGE = 200
/** How soon the end of its time is seen. */
const SHORT_MS = 250
/** How often it is looked whether results are still there that nobody needs any more. */
const TIDY_MS = 3_600_000

/** Takes what is packed to the providers, and brings back what they answer. Of a fleet, one at a time is enough; two do no harm. */
export interface Batcher {
  /**
   * Begins whatever is due; what goes wrong with one shard holds up no other. Throws `StorageFailure` where the store cannot say what that is.
   */
  begin(ended: AbortSignal): Promise<void>
  /** Resolves when nothing is under way any more. */
  rest(): Promise<void>
  /**
   * Works as long as `holds` says so; then lets go of uploads and downloads at once, and of a create within seconds: its intent keeps everybody
   * else from that shard.
   */
  serve(holds: () => boolean): Promise<void>
}

/** Creates the batcher of one process. All that matters is in the store: after a crash another one goes on. */
export function createBatcher(deps: BatcherDeps): Batcher {
  const { runtime, store } = deps
  const times = { ...BATCH_TIMES, ...deps.times }
  const policies = createShardPolicies(store.batches, deps.policyOf)
  const work: BatchWork = Object.freeze({ ...deps, times, rooms: createQueueRooms(), policies })
  const busy = new Map<string, { readonly step: Step; readonly done: Promise<void> }>()

  const beginStep = async (step: Step, ended: AbortSignal) => {
    const shards = await store.batches.shards({ states: step.states }, PAGE)
    for (const shard of shards) {
      const under = [...busy.values()].filter((other) => other.step === step).length
      if (ended.aborted || under >= step.atOnce) break
      if (shard.nextLookMs > runtime.now() || busy.has(shard.id)) continue
      const done = step
        .take(work, shard, ended)
        .catch((error: unknown) => setBack(work, shard, error))
        .finally(() => busy.delete(shard.id))
      busy.set(shard.id, { step, done })
    }
  }
  const begin = async (ended: AbortSignal) => {
    await planShards(work, ended)
    for (const step of STEPS) await beginStep(step, ended)
  }
  const rest = async () => {
    while (busy.size > 0) await Promise.all([...busy.values()].map(({ done }) => done))
  }

  return Object.freeze({
    begin,
    rest,
    async serve(holds: () => boolean) {
      const ending = new AbortController()
      const watching = watchHold(work, holds, ending)
      let tidyAtMs = runtime.elapsed()
      let tidying = Promise.resolve()
      try {
        while (!ending.signal.aborted) {
          if (runtime.elapsed() >= tidyAtMs) {
            tidyAtMs = runtime.elapsed() + TIDY_MS
            tidying = tidy(work, ending.signal)
          }
          await begin(ending.signal).catch(unlessAway)
          await runtime.sleep(times.turnMs, ending.signal).catch(() => undefined)
        }
      } finally {
        ending.abort()
        await Promise.all([rest(), watching, tidying])
      }
    },
  })
}

/** Removes what is left of batches that everything has come of. It can wait: what goes wrong with it is said, and no more. */
async function tidy({ blob, store, events }: BatchWork, ended: AbortSignal): Promise<void> {
  try {
    await removeLeftResults({ blob, batches: store.batches }, ended)
  } catch (error) {
    if (error instanceof StorageFailure) return
    const message = error instanceof Error ? error.message : String(error)
    events.emit('duty.failed', { role: 'batcher', jobNo: null, message })
  }
}

/** A store that is away for a while ends nothing that is under way. */
function unlessAway(error: unknown): void {
  if (!(error instanceof StorageFailure) || error.kind === 'closed') throw error
}

/** Aborts soon after `holds` says no. */
async function watchHold({ runtime }: BatchWork, holds: () => boolean, ending: AbortController): Promise<void> {
  while (holds() && !ending.signal.aborted) await runtime.sleep(SHORT_MS, ending.signal).catch(() => undefined)
  ending.abort()
}

/** A step that broke for a reason nobody foresaw: said, and tried again, ever more rarely. While the store is away there is nothing to say. */
async function setBack(work: BatchWork, shard: BatchShard, error: unknown): Promise<void> {
  if (error instanceof StorageFailure) return
  const { runtime, store, times } = work
  const note = error instanceof Error ? error.message : String(error)
  tellTrouble(work, shard, note)
  try {
    const now = await store.batches.shard(shard.id)
    if (now === null) return
    const waitMs = waitBeforeLook(runtime.now() - shard.plannedAtMs, times.look, runtime.random())
    await changeShard(work, now, { nextLookMs: runtime.now() + waitMs, note })
  } catch (failed) {
    if (!(failed instanceof StorageFailure)) tellTrouble(work, shard, `it could not be put off: ${failed}`)
  }
}
