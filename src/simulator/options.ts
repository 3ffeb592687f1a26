import { type BatchOptions, resolveBatchOptions } from './batch/options.ts'
import { type FaultShares, NO_FAULTS } from './fault.ts'
import { DEFAULT_FLEX, type SimulatedFlex } from './flex.ts'
import type { SimulatedLatency } from './latency.ts'
import type { SimulatedLimits } from './limits.ts'
import type { SimulatedPrice } from './price.ts'

/** What a simulated provider is like. Everything but the clock has a default: no limits, no faults, no delay. */
export interface SimulatorOptions {
  /** The clock, in UTC milliseconds. */
  readonly nowMs: () => number
  /** Two simulators with one seed draw alike. @default 1 */
  readonly seed?: number
  /** How long an answer takes. @default at once */
  readonly latency?: SimulatedLatency
  /** Tokens that an answer is billed beyond its text, as for thinking: log-normal, within `max_output_tokens`. @default none */
  readonly extraOutput?: ExtraOutput
  readonly limits?: Partial<SimulatedLimits>
  /** Requests that are worked on at once while the others wait, as on a server of one's own; `null`: all. @default null */
  readonly capacity?: number | null
  /** Tells of no limits in its headers. @default false */
  readonly silentLimits?: boolean
  readonly faults?: Partial<FaultShares>
  /** How long an answer takes that the fault `slow` has struck. @default 30000 */
  readonly slowMs?: number
  /** What the fault `rate_limited` asks to wait. @default 100 */
  readonly retryAfterMs?: number
  /** The longest prompt, in tokens. @default no end */
  readonly contextTokens?: number | null
  /** Refuses every key; `bad-key` is always refused. @default false */
  readonly badKey?: boolean
  /** Requests that the account has credit for; `null`: no end. @default null */
  readonly quotaRequests?: number | null
  /** Prices by model; `*` stands for all others. @default 0.25 and 2.00 */
  readonly prices?: Readonly<Record<string, SimulatedPrice>>
  /** How requests are served that ask for flex. */
  readonly flex?: Partial<SimulatedFlex>
  /** @default batches are done at once, and nothing goes wrong */
  readonly batches?: Partial<BatchOptions>
  /** Calls back after `ms`, unless cancelled through the returned function: batches go on by it. @default they go on when they are looked at */
  readonly after?: (ms: number, callback: () => void) => () => void
}

/** How heavy the tail of the bill is. */
export interface ExtraOutput {
  readonly median: number
  /** One of a hundred answers is billed more. */
  readonly p99: number
}

export type ResolvedOptions = Readonly<{
  nowMs: () => number
  seed: number
  latency: SimulatedLatency
  extraOutput: ExtraOutput
  limits: SimulatedLimits
  capacity: number | null
  silentLimits: boolean
  faults: FaultShares
  slowMs: number
  retryAfterMs: number
  contextTokens: number | null
  badKey: boolean
  quotaRequests: number | null
  prices: Readonly<Record<string, SimulatedPrice>>
  flex: SimulatedFlex
  batches: BatchOptions
  after: NonNullable<SimulatorOptions['after']> | null
}>

/** The options with their defaults filled in. Throws a `RangeError` where the shares of faults add up to more than a whole. */
export function resolveOptions(options: SimulatorOptions): ResolvedOptions {
  const faults: FaultShares = Object.freeze({ ...NO_FAULTS, ...options.faults })
  checkShares(faults)
  return Object.freeze({
    nowMs: options.nowMs,
    seed: options.seed ?? 1,
    latency: options.latency ?? { medianMs: 0, p99Ms: 0 },
    extraOutput: options.extraOutput ?? { median: 0, p99: 0 },
    limits: { rpm: null, tpm: null, concurrency: null, ...options.limits },
    capacity: options.capacity ?? null,
    silentLimits: options.silentLimits ?? false,
    faults,
    slowMs: options.slowMs ?? 30_000,
    retryAfterMs: options.retryAfterMs ?? 100,
    contextTokens: options.contextTokens ?? null,
    badKey: options.badKey ?? false,
    quotaRequests: options.quotaRequests ?? null,
    prices: options.prices ?? {},
    flex: Object.freeze({ ...DEFAULT_FLEX, ...options.flex }),
    batches: resolveBatchOptions(options.batches),
    after: options.after ?? null,
  })
}

function checkShares(faults: FaultShares): void {
  const { refusal, content_filter, ...perAsk } = faults
  for (const sum of [refusal + content_filter, Object.values(perAsk).reduce((a, b) => a + b, 0)]) {
    // Written in decimals, shares that make a whole may add up to a hair more.
    if (!(sum >= 0 && sum <= 1 + 1e-9))
      throw new RangeError(`expected shares of faults that add up to at most 1, got ${sum}`)
  }
}
