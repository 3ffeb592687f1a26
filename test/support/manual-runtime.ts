import { type Runtime, uuidv7 } from '../../src/runtime.ts'

/** A runtime whose time passes only when a test says so, and whose randomness is a counter. */
export interface ManualRuntime extends Runtime {
  /** Lets `ms` pass: timers that fall due run, in order, each at its own time. */
  pass(ms: number): Promise<void>
}

/** Creates a runtime that stands at `startMs`. `draw` stands for every random number. */
export function manualRuntime(startMs = 1_700_000_000_000, draw = 0.5): ManualRuntime {
  let now = startMs
  let ids = 0
  const timers = new Set<{ readonly at: number; readonly call: () => void }>()
  const after = (ms: number, call: () => void) => {
    const timer = { at: now + ms, call }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  return {
    now: () => now,
    elapsed: () => now - startMs,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const cancel = after(ms, resolve)
        signal?.addEventListener('abort', () => {
          cancel()
          reject(signal.reason as Error)
        })
      }),
    random: () => draw,
    uuid: () => {
      ids += 1
      const random = new Uint8Array(10)
      new DataView(random.buffer).setUint32(4, ids)
      return uuidv7(now, random)
    },
    async pass(ms) {
      const until = now + ms
      while (true) {
        const due = [...timers].filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers.delete(due)
        now = Math.max(now, due.at)
        due.call()
        await Promise.resolve()
      }
      now = until
    },
  }
}
