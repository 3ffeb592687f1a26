import { StorageFailure } from '../domain/storage-failure.ts'
import type { OpenAiBatch } from '../store/role/openai-batches.ts'
import type { Duty } from '../worker/duties.ts'
import type { WorkDeps } from './enter-fleet.ts'
import { createFileDesks } from './files.ts'
import { stepBatch } from './openai-steps.ts'

/** How often it is looked what OpenAI's batches are due for. */
const LOOK_EVERY_MS = 1_000
/** How soon whoever works on them sees that it is somebody else's turn. */
const SHORT_MS = 250
/** Batches that are looked for, and worked on, at a time. */
const PAGE = 50
const AT_ONCE = 2

/** Checking the files of OpenAI's batches, ending them in time, and writing their answers, of all tenants: one process at a time does it. */
export function openAiDuty({ deps, jobDeps }: WorkDeps): Duty {
  const { store, runtime, events } = deps
  const filesOf = createFileDesks(deps)

  const step = async (batch: OpenAiBatch, signal: AbortSignal) => {
    const { tenantNo } = batch
    try {
      await stepBatch({ deps: { ...deps, tenantNo }, jobDeps, files: filesOf(tenantNo) }, batch, signal)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof StorageFailure) throw error
      // The others go on; this one is tried again.
      const message = `${batch.id}: ${error instanceof Error ? error.message : String(error)}`
      events.emit('duty.failed', { role: 'openai', jobNo: batch.jobNo, message })
    }
  }

  const work = async (signal: AbortSignal) => {
    const due = (await store.openAiBatches.due(runtime.now(), PAGE)).values()
    const turn = async () => {
      for (const batch of due) {
        if (signal.aborted) return
        await step(batch, signal)
      }
    }
    // The next turn must not begin before all of this one has ended.
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, turn))
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  return {
    role: 'openai',
    everyMs: LOOK_EVERY_MS,
    async work(holds) {
      const stop = new AbortController()
      let over = false
      const working = work(stop.signal).finally(() => {
        over = true
      })
      const quiet = working.catch(() => undefined)
      while (!over) {
        await Promise.race([quiet, runtime.sleep(SHORT_MS, undefined, { unref: true })])
        if (!holds()) stop.abort()
      }
      await working
    },
  }
}
