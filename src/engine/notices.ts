import type { Notice } from '../domain/notice.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { SluiceError } from '../errors.ts'
import type { Duty } from '../worker/duties.ts'
import type { WorkDeps } from './enter-fleet.ts'

/** How often the outbox is looked at. */
const LOOK_EVERY_MS = 1_000
/** How soon a sender sees that it is somebody else's turn. */
const SHORT_MS = 250
/** For how long a process that is about to end goes on sending. */
const BRIEF_MS = 5_000
/** For how long it then waits for its last writes. */
const WRITE_MS = 1_000

/** Sending what jobs have to tell, for all of them: one process at a time does it. */
export function noticeDuty({ deps, delivery }: WorkDeps): Duty {
  const { runtime } = deps
  return {
    role: 'notifier',
    everyMs: LOOK_EVERY_MS,
    async work(holds) {
      const stop = new AbortController()
      let over = false
      const sending = delivery.deliverDue(stop.signal).finally(() => {
        over = true
      })
      const quiet = sending.catch(() => undefined)
      while (!over) {
        await Promise.race([quiet, runtime.sleep(SHORT_MS, undefined, { unref: true })])
        if (!holds()) stop.abort()
      }
      await sending
    },
  }
}

/**
 * Sends what is due, for a few seconds at most, before a process ends that may be the last to run for days. Nothing of it can fail or hold up what the
 * process was there for: what is left goes out with the next one that sends.
 */
export async function sendBriefly({ deps, delivery }: WorkDeps, abandon?: AbortSignal): Promise<void> {
  if (abandon?.aborted) return
  const { runtime, events } = deps
  const [stop, left] = [new AbortController(), Promise.withResolvers<void>()]
  const leave = () => {
    stop.abort()
    left.resolve()
  }
  abandon?.addEventListener('abort', leave, { once: true })
  // Attempts that are broken off are written down first, where the store takes that.
  const timers = [runtime.after(BRIEF_MS, () => stop.abort()), runtime.after(BRIEF_MS + WRITE_MS, leave)]
  const sending = delivery.deliverDue(stop.signal).catch((error: unknown) => {
    // A store that is away has what is due, and keeps it.
    if (error instanceof StorageFailure) return
    const message = error instanceof Error ? error.message : String(error)
    events.emit('duty.failed', { role: 'notifier', jobNo: null, message })
  })
  await Promise.race([sending, left.promise])
  for (const cancel of timers) cancel()
  abandon?.removeEventListener('abort', leave)
}

/** Sends a notice anew (see Engine.replayNotice). */
export async function replayNotice({ deps, delivery }: WorkDeps, id: string, signal: AbortSignal): Promise<Notice> {
  const sent = await delivery.deliverAgain(deps.tenantNo, id, signal)
  if (sent === null) throw notFound(id)
  return sent
}

function notFound(id: string): SluiceError {
  return new SluiceError('notice_not_found', `there is no notification ${id} here`)
}
