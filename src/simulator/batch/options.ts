import type { SimulatedLatency } from '../latency.ts'

/** What the batch endpoints are like. Everything has a default: at once, and nothing goes wrong. Times are of the batch's own clock. */
export interface BatchOptions {
  /** How much faster that clock runs than the real one: at 3600 a day takes 24 seconds. @default 1 */
  readonly speed: number
  readonly validating: SimulatedLatency
  readonly running: SimulatedLatency
  readonly finalizing: SimulatedLatency
  /** From a cancellation to its end. */
  readonly cancellingMs: number
  /** Input tokens, and requests, of one model that may be in batches that have not ended; `null`: no end. */
  readonly queueTokens: number | null
  readonly queueRequests: number | null
  /** Shares of batches: those that run into the end of their window, and those that fail as a whole. */
  readonly expired: number
  readonly invalid: number
  /** Shares of requests; at most one happens to each. */
  readonly rowError: number
  readonly missing: number
  readonly doubled: number
  readonly garbage: number
  /** Results come in another order than asked. */
  readonly shuffled: boolean
  /** Batches neither find anything in the cache of prompts nor leave anything there. */
  readonly uncached: boolean
  /** So many first downloads of each result are answered 502, and so many after them break off midway. */
  readonly badGateways: number
  readonly brokenDownloads: number
  /** Shares of create calls whose connection is cut: before anything came of them, and after the batch was there. */
  readonly createCut: number
  readonly createLost: number
  /** Share of all other calls that are answered 500. */
  readonly callError: number
}

const AT_ONCE: SimulatedLatency = Object.freeze({ medianMs: 0, p99Ms: 0 })

const CALM: BatchOptions = Object.freeze({
  speed: 1,
  validating: AT_ONCE,
  running: AT_ONCE,
  finalizing: AT_ONCE,
  cancellingMs: 0,
  queueTokens: null,
  queueRequests: null,
  expired: 0,
  invalid: 0,
  rowError: 0,
  missing: 0,
  doubled: 0,
  garbage: 0,
  shuffled: false,
  uncached: false,
  badGateways: 0,
  brokenDownloads: 0,
  createCut: 0,
  createLost: 0,
  callError: 0,
})

/** The options with their defaults. Throws a `RangeError` where shares of what excludes each other add up to more than a whole. */
export function resolveBatchOptions(given: Partial<BatchOptions> = {}): BatchOptions {
  const options = Object.freeze({ ...CALM, ...given })
  if (!(options.speed > 0)) throw new RangeError(`expected a speed above 0, got ${options.speed}`)
  for (const names of EXCLUSIVE) {
    const sum = names.reduce((total, name) => total + options[name], 0)
    // Written in decimals, shares that make a whole may add up to a hair more.
    if (!(sum >= 0 && sum <= 1 + 1e-9))
      throw new RangeError(`expected ${names.join(', ')} of batches to add up to at most 1, got ${sum}`)
  }
  return options
}

/** Whether what becomes of a request may depend on how often it was asked. */
export function spoilsRows({ rowError, missing, doubled, garbage }: BatchOptions): boolean {
  return rowError + missing + doubled + garbage > 0
}

/** Shares of what can happen only once to the same thing. */
export const EXCLUSIVE = [
  ['expired', 'invalid'],
  ['rowError', 'missing', 'doubled', 'garbage'],
  ['createCut', 'createLost'],
  ['callError'],
] as const
