import type { SluiceError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import type { Wake } from './wake.ts'

/** How long rows in flight may take to end after a signal; then they are hung up on. */
export const DRAIN_MS = 10_000
/** And how long after that the worker may take to write down what it can: then it goes, as safely as by a kill. */
const FAREWELL_MS = 2_000

/** The way out of a worker: in order, within a bound. */
export interface Departure {
  readonly begun: boolean
  /** Why it leaves by itself; `null`: it was told to. */
  readonly reason: SluiceError | null
  /** From now on `drainMs` are left until rows in flight are hung up on, and little more until the end. Only the first call counts. */
  begin(reason: SluiceError | null, drainMs: number): void
  /** Cancels the bound. */
  over(): void
}

interface DeparturePartners {
  readonly wake: Wake
  /** Hangs up on rows in flight. */
  readonly hangUp: AbortController
  /** Ends the worker at once. */
  readonly leave: () => void
}

/** Creates the way out of one worker. */
export function createDeparture(runtime: Runtime, { wake, hangUp, leave }: DeparturePartners): Departure {
  let begun = false
  let why: SluiceError | null = null
  const bounds: (() => void)[] = []
  return Object.freeze({
    get begun() {
      return begun
    },
    get reason() {
      return why
    },
    begin(reason: SluiceError | null, drainMs: number) {
      if (begun) return
      begun = true
      why = reason
      bounds.push(runtime.after(drainMs, () => hangUp.abort()))
      // Even where the store is away and nothing can be given back.
      bounds.push(runtime.after(drainMs + FAREWELL_MS, leave))
      wake.call()
    },
    over() {
      for (const cancel of bounds) cancel()
    },
  })
}
