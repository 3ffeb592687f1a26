import { setTimeout as delay } from 'node:timers/promises'

const PATIENCE_MS = 30_000

/** Resolves when the condition holds; rejects, with what it was about, when it never does. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const limit = performance.now() + PATIENCE_MS
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`never came true: ${what}`)
    await delay(5)
  }
}
