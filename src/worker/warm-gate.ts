import { mayHaveFixed } from '../domain/request.ts'
import type { Runtime } from '../runtime.ts'
import type { Gate, Pass } from './gate.ts'
import type { RowTask } from './held-chunk.ts'
import { targetOf } from './intent.ts'
import type { TargetRun } from './job-run.ts'

/** How long the others wait for the first request of a prefix. */
const PATIENCE_MS = 10_000
/** A prefix that was not asked for this long is no longer kept (OpenAI and Anthropic: about five minutes). */
const KEPT_MS = 5 * 60_000

const NOTHING_TO_WARM: Pass = Object.freeze({ leave: () => undefined })

interface Warmth {
  /** Gives up waiting for the request that goes ahead; `null`: none does. */
  stopWaiting: (() => void) | null
  /** When the prefix was last asked with; `null`: never, as far as this process knows. */
  lastMs: number | null
  /** Somebody was sent away since the request went ahead. */
  refused: boolean
}

/**
 * Lets one request of a job and model go ahead where its fixed beginning is long enough to be kept by the provider: the others find it kept,
 * where all at once would each pay for it in full. They wait until it has ended, however it did, and ten seconds at the most.
 */
export function createWarmGate(runtime: Runtime): Gate {
  const listeners = new Set<() => void>()
  /** A job that is taken up has targets of its own. */
  const warmths = new WeakMap<TargetRun, Warmth>()

  const letGo = (warmth: Warmth, lastMs: number | null) => {
    warmth.stopWaiting?.()
    warmth.stopWaiting = null
    warmth.lastMs = lastMs
    if (!warmth.refused) return
    warmth.refused = false
    for (const listener of listeners) listener()
  }
  const goAhead = (warmth: Warmth): Pass => {
    const stopWaiting = runtime.after(PATIENCE_MS, () => letGo(warmth, runtime.elapsed()))
    warmth.stopWaiting = stopWaiting
    return {
      leave(end) {
        if (warmth.stopWaiting === stopWaiting) letGo(warmth, end === 'not sent' ? null : runtime.elapsed())
      },
    }
  }

  return Object.freeze({
    enter(task: RowTask) {
      const target = targetOf(task)
      if (!mayHaveFixed(task.next.request, target.cachesFrom)) return NOTHING_TO_WARM
      const warmth = warmths.get(target) ?? { stopWaiting: null, lastMs: null, refused: false }
      warmths.set(target, warmth)
      if (warmth.stopWaiting !== null) {
        warmth.refused = true
        return null
      }
      const now = runtime.elapsed()
      if (warmth.lastMs === null || now - warmth.lastMs > KEPT_MS) return goAhead(warmth)
      warmth.lastMs = now
      return NOTHING_TO_WARM
    },
    onRoom(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  } satisfies Gate)
}
