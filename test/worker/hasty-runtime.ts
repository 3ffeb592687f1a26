import { type Runtime, systemRuntime } from '../../src/runtime.ts'

/**
 * A runtime whose clock runs `speed` times as fast as the wall's, and whose dice always show the same: heartbeats, holds and back-offs pass
 * quickly, and everything else is as in a real process.
 */
export function hastyRuntime(speed = 20, draw = 0): Runtime {
  const real = systemRuntime()
  const [startMs, startElapsed] = [real.now(), real.elapsed()]
  return {
    ...real,
    now: () => Math.floor(startMs + (real.elapsed() - startElapsed) * speed),
    elapsed: () => real.elapsed() * speed,
    sleep: (ms, signal, options) => real.sleep(ms / speed, signal, options),
    after: (ms, callback) => real.after(ms / speed, callback),
    random: () => draw,
  }
}
