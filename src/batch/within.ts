import type { Runtime } from '../runtime.ts'

/** How long something may take: so long, and so long after `ended` aborts at the most. */
export interface Bounds {
  readonly ms: number
  readonly ended: AbortSignal
  readonly graceMs?: number
}

/** Asks with a signal that aborts when the bounds are passed; then it is up to `ask` to come to an end. */
export async function within<T>(
  runtime: Runtime,
  { ms, ended, graceMs = 0 }: Bounds,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const cancels = [runtime.after(ms, () => controller.abort(new Error(`it took longer than ${ms / 1000} s`)))]
  const leave = () => controller.abort(new Error('this worker stops'))
  const onEnd = () => {
    if (graceMs === 0) leave()
    else cancels.push(runtime.after(graceMs, leave))
  }
  if (ended.aborted) onEnd()
  else ended.addEventListener('abort', onEnd, { once: true })
  try {
    return await ask(controller.signal)
  } finally {
    ended.removeEventListener('abort', onEnd)
    for (const cancel of cancels) cancel()
  }
}
