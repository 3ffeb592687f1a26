import { reconcile } from '../job/reconcile.ts'
import type { Duty } from '../worker/duties.ts'
import { batchDuty } from './batch-duty.ts'
import type { WorkDeps } from './enter-fleet.ts'
import { noticeDuty } from './notices.ts'
import { openAiDuty } from './openai-duty.ts'
import { createSweep } from './sweep.ts'
import { watchDuty } from './watch-marks.ts'

/** A worker that was silent for this long is taken off the list; until then `status` shows that it died. */
const FORGET_AFTER_MS = 600_000

const RECONCILE_EVERY_MS = 3_000
const JANITOR_EVERY_MS = 60_000

/** What one worker at a time does for the whole fleet. */
export function fleetDuties(parts: WorkDeps, workerId: string): readonly Duty[] {
  const { deps, jobDeps } = parts
  const sweep = createSweep(deps)
  let afterJobNo = 0
  return [
    {
      role: 'reconciler',
      everyMs: RECONCILE_EVERY_MS,
      async work(holds) {
        afterJobNo = await reconcile(jobDeps, {
          afterJobNo,
          holds,
          onTrouble: (jobNo, error) =>
            deps.events.emit('duty.failed', {
              role: 'reconciler',
              jobNo,
              message: error instanceof Error ? error.message : String(error),
            }),
        })
      },
    },
    {
      role: 'janitor',
      everyMs: JANITOR_EVERY_MS,
      async work() {
        await deps.store.upkeep.prepare()
        await deps.store.fleet.forget(FORGET_AFTER_MS)
        await sweep()
      },
    },
    batchDuty(parts, workerId),
    noticeDuty(parts),
    openAiDuty(parts),
    watchDuty(parts),
  ]
}
