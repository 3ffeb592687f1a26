/** Does a piece of work when its turn has come. */
export type AtOnce = <T>(work: () => Promise<T>) => Promise<T>

/**
 * Lets at most `most` pieces of work go on at a time; the others wait for their turn, first come, first served. For work that is heavy on a process
 * that has others to answer meanwhile: a hundred at once are done no sooner, and whoever asks for something small waits for them all.
 */
export function createAtOnce(most: number): AtOnce {
  const waiting: (() => void)[] = []
  let busy = 0
  return async (work) => {
    if (busy < most) busy += 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) busy -= 1
      else next()
    }
  }
}
