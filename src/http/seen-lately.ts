import type { Runtime } from '../runtime.ts'

/** So many answers are remembered at the most: whoever tries keys at random fills no memory. */
const MOST = 10_000

/** Remembers what `ask` answered to a name for `forMs`; who asks for the same at once waits for the same answer. Failures are not remembered. */
export function createSeenLately<T>(
  ask: (name: string) => Promise<T>,
  forMs: number,
  runtime: Pick<Runtime, 'elapsed'>,
): (name: string) => Promise<T> {
  const seen = new Map<string, { readonly atMs: number; readonly answer: Promise<T> }>()
  return (name) => {
    const known = seen.get(name)
    const nowMs = runtime.elapsed()
    if (known !== undefined && nowMs - known.atMs < forMs) return known.answer
    if (seen.size >= MOST) seen.clear()
    const answer = ask(name)
    seen.set(name, { atMs: nowMs, answer })
    answer.catch(() => seen.delete(name))
    return answer
  }
}
