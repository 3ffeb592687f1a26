import type { Runtime } from '../../src/runtime.ts'
import { uuidv7 } from '../../src/runtime.ts'

/** A runtime whose time is a number: hours of it pass in no time, and the same seed gives the same run. */
export interface VirtualClock extends Runtime {
  /** Runs all timers that fall due within `ms`, each at its own time. */
  run(ms: number): void
}

interface Timer {
  readonly atMs: number
  readonly order: number
  readonly call: () => void
  cancelled: boolean
}

/** Creates a clock at 0 of its own time. */
export function virtualClock(seed = 1): VirtualClock {
  const startMs = 1_800_000_000_000
  let now = 0
  let order = 0
  let state = seed
  const timers: Timer[] = []
  const before = (a: Timer, b: Timer) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
  const push = (timer: Timer) => {
    let at = timers.length
    timers.push(timer)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(timer, timers[parent] as Timer)) break
      timers[at] = timers[parent] as Timer
      at = parent
    }
    timers[at] = timer
  }
  const pop = (): Timer | undefined => {
    const [first] = timers
    const last = timers.pop()
    if (first === undefined || last === undefined || timers.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= timers.length) break
      if (child + 1 < timers.length && before(timers[child + 1] as Timer, timers[child] as Timer)) child += 1
      if (!before(timers[child] as Timer, last)) break
      timers[at] = timers[child] as Timer
      at = child
    }
    timers[at] = last
    return first
  }
  // mulberry32
  const random = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  const after = (ms: number, call: () => void) => {
    const timer = { atMs: now + ms, order, call, cancelled: false }
    order += 1
    push(timer)
    return () => {
      timer.cancelled = true
    }
  }
  return {
    now: () => startMs + now,
    elapsed: () => now,
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    random,
    uuid: () => uuidv7(startMs + now, new Uint8Array(10)),
    run(ms) {
      const untilMs = now + ms
      for (let next = timers[0]; next !== undefined && next.atMs <= untilMs; next = timers[0]) {
        pop()
        if (next.cancelled) continue
        now = Math.max(now, next.atMs)
        next.call()
      }
      now = untilMs
    },
  }
}
