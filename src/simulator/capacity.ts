/** A server that works on so many requests at once and lets the others wait in line, refusing nobody. */
export interface Capacity {
  /** Takes the next free place for `workMs`; returns how long the answer takes, waiting included. */
  serve(workMs: number): number
}

/** Creates a server with `places`, all free; `null`: there is always one. Time comes from `nowMs` alone. */
export function createCapacity(places: number | null, nowMs: () => number): Capacity {
  const freeAtMs = new Array<number>(places ?? 0).fill(Number.NEGATIVE_INFINITY)
  return Object.freeze({
    serve(workMs: number) {
      if (places === null) return workMs
      const now = nowMs()
      let next = 0
      for (let place = 1; place < places; place += 1) {
        if ((freeAtMs[place] as number) < (freeAtMs[next] as number)) next = place
      }
      const doneAtMs = Math.max(now, freeAtMs[next] as number) + workMs
      freeAtMs[next] = doneAtMs
      return doneAtMs - now
    },
  })
}
