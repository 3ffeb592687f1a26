import type { Runtime } from '../runtime.ts'

/** Lets one loop wait for whatever comes first: a call, or a time. */
export interface Wake {
  call(): void
  wait(ms: number): Promise<void>
}

/** Creates a wake for one waiting loop. A call while nobody waits is kept for the next wait. */
export function createWake(runtime: Runtime): Wake {
  let called = false
  let resolveWait: (() => void) | null = null
  return Object.freeze({
    call() {
      called = true
      resolveWait?.()
    },
    async wait(ms: number) {
      if (!called) {
        await new Promise<void>((resolve) => {
          const cancel = runtime.after(ms, resolve)
          resolveWait = () => {
            cancel()
            resolve()
          }
        })
      }
      resolveWait = null
      called = false
    },
  })
}
