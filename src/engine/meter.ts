import type { Cause } from '../domain/failure.ts'
import { type LimitFigure, limitText } from '../domain/limit-text.ts'
import type { Events } from '../events.ts'
import type { Runtime } from '../runtime.ts'

/** Rates are measured over this stretch. */
const WINDOW_MS = 30_000

/** A limit that held a request up is said to hold for so long after. */
const BOUND_MS = 2_000

/** Measures what runs in this process: nothing of it is kept, or needed by anyone but a panel. */
export interface Meter {
  /** Rows ended since it began. */
  readonly rowsEnded: number
  readonly rowsPerSecond: number
  readonly tokensPerMinute: number
  readonly retrying: readonly { readonly cause: Cause; readonly attempts: number }[]
  /** Why nothing is sent at the moment, for people; `null`: something is. */
  note(): string | null
  stop(): void
}

/** Starts measuring one job, or all, by the events of this process. */
export function startMeter(
  events: Events,
  runtime: Runtime,
  jobNo: number | null = null,
  accounts: ReadonlySet<string> | null = null,
): Meter {
  const isOurs = (of: number) => jobNo === null || of === jobNo
  const beganAtMs = runtime.elapsed()
  /** One bucket a second: rows and tokens ended in it. */
  let buckets: { readonly second: number; rows: number; tokens: number }[] = []
  const retrying = new Map<Cause, number>()
  let hold: { untilMs: number; cause: Cause } | null = null
  let bound: { readonly untilMs: number; readonly limit: LimitFigure } | null = null
  let storage: string | null = null
  let rowsEnded = 0

  const bucket = () => {
    const second = Math.floor(runtime.elapsed() / 1000)
    let last = buckets[buckets.length - 1]
    if (last === undefined || last.second !== second) {
      last = { second, rows: 0, tokens: 0 }
      buckets.push(last)
      buckets = buckets.filter((entry) => entry.second > second - WINDOW_MS / 1000)
    }
    return last
  }
  const perMs = (pick: (entry: { rows: number; tokens: number }) => number) => {
    bucket()
    const span = Math.max(1, Math.min(WINDOW_MS, runtime.elapsed() - beganAtMs))
    return buckets.reduce((sum, entry) => sum + pick(entry), 0) / span
  }
  const off = [
    events.on('rows.ended', (event) => {
      if (!isOurs(event.jobNo)) return
      bucket().rows += event.rows
      rowsEnded += event.rows
    }),
    events.on('attempt.ended', (event) => {
      if (!isOurs(event.jobNo)) return
      bucket().tokens += event.tokens
      if (event.again && event.cause !== null) retrying.set(event.cause, (retrying.get(event.cause) ?? 0) + 1)
    }),
    events.on('limit.wait', (event) => {
      if (accounts === null || accounts.has(event.account)) hold = { untilMs: event.untilMs, cause: event.cause }
    }),
    events.on('limit.bound', (event) => {
      if (accounts === null || accounts.has(event.account)) bound = event
    }),
    events.on('storage.failing', (event) => {
      storage = event.message
    }),
    events.on('storage.back', () => {
      storage = null
    }),
  ]
  return Object.freeze({
    get rowsEnded() {
      return rowsEnded
    },
    get rowsPerSecond() {
      return perMs((entry) => entry.rows) * 1000
    },
    get tokensPerMinute() {
      return perMs((entry) => entry.tokens) * 60_000
    },
    get retrying() {
      return [...retrying].map(([cause, attempts]) => ({ cause, attempts })).sort((a, b) => b.attempts - a.attempts)
    },
    note() {
      if (storage !== null) return `the store cannot be written: ${storage}`
      if (hold !== null && hold.untilMs > runtime.now()) {
        return `${hold.cause}, next request in ${Math.ceil((hold.untilMs - runtime.now()) / 1000)} s`
      }
      if (bound === null || runtime.now() - bound.untilMs > BOUND_MS) return null
      return `at the provider's limit of ${limitText(bound.limit)}`
    },
    stop() {
      for (const end of off) end()
    },
  })
}
