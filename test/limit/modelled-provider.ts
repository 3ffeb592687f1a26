import type { LimitSignal, LimitWindow } from '../../src/domain/limit-signal.ts'
import type { Usage } from '../../src/domain/usage.ts'
import type { SlotResult } from '../../src/limit/governor.ts'
import type { LimitState, LimitStates } from '../../src/simulator/ask.ts'
import { createCapacity } from '../../src/simulator/capacity.ts'
import { createLimits, type SimulatedLimits } from '../../src/simulator/limits.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** How a provider of the simulation tells of its limits. */
export type Telling = 'headers' | 'thousands' | 'quota' | 'nothing'

export interface ProviderModel {
  readonly limits?: Partial<SimulatedLimits>
  readonly telling?: Telling
  /** Tokens that it takes from its bucket for a request. */
  readonly counts?: (size: Size) => number
  readonly medianMs?: number
  /** Of the logarithm of the time that an answer takes. */
  readonly spread?: number
  readonly capacity?: number
  /** From a time on its answers take so many times as long. */
  readonly longer?: { readonly fromMs: number; readonly times: number }
  /** Refuses this share of requests with 429, however fast it is asked. */
  readonly moody?: number
  /** Answers every request with this status in these stretches, in ms from the start. */
  readonly outages?: readonly { readonly fromMs: number; readonly toMs: number; readonly status: 429 | 503 }[]
}

export interface Size {
  readonly bytes: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly maxOutput: number
}

export interface Reply {
  readonly status: 200 | 429 | 503
  readonly tookMs: number
  readonly signal: LimitSignal | null
  readonly retryAfterMs: number | null
  readonly usage: Usage | null
  /** Taken from its token bucket. */
  readonly taken: number
}

/** What a worker tells its governor of a reply. */
export function slotResultOf(reply: Reply): SlotResult {
  const { status, signal: limits, retryAfterMs, usage, tookMs: latencyMs } = reply
  const cause = status === 200 ? null : status === 429 ? 'rate_limited' : 'overloaded'
  return { cause, retryAfterMs, limits, usage, latencyMs }
}

const NOTHING = { requests: null, tokens: null, inputTokens: null, outputTokens: null, retryAfterMs: null }

/** A provider with token buckets and times for its answers, as a function of when it is asked. */
export function modelledProvider(clock: VirtualClock, model: ProviderModel): (size: Size) => Reply {
  const { telling = 'headers', medianMs = 500, spread = 0.6, counts = (size) => size.inputTokens } = model
  const limits = createLimits({ rpm: null, tpm: null, concurrency: null, ...model.limits }, clock.elapsed)
  const capacity = createCapacity(model.capacity ?? null, clock.elapsed)
  const signalOf = (wanted: 'requests' | 'tokens' | null, retryAfterMs: number | null): LimitSignal | null => {
    const states = limits.states()
    if (telling === 'nothing') return retryAfterMs === null ? null : { ...NOTHING, retryAfterMs }
    if (telling === 'quota') return quotaOf(states, wanted, retryAfterMs)
    const requests = windowOf(states.requests, 1)
    const tokens = windowOf(states.tokens, telling === 'thousands' ? 1_000 : 1)
    return { ...NOTHING, requests, [telling === 'thousands' ? 'inputTokens' : 'tokens']: tokens, retryAfterMs }
  }
  const refusal = (status: 429 | 503, scope: 'requests' | 'tokens' | null, waitMs: number | null): Reply => {
    const retryAfterMs =
      waitMs === null ? null : telling === 'thousands' ? Math.ceil(waitMs / 1000) * 1000 : Math.ceil(waitMs)
    return { status, tookMs: 30, signal: signalOf(scope, retryAfterMs), retryAfterMs, usage: null, taken: 0 }
  }

  return (size) => {
    const now = clock.elapsed()
    const outage = model.outages?.find(({ fromMs, toMs }) => now >= fromMs && now < toMs)
    if (outage !== undefined) return refusal(outage.status, null, null)
    if (model.moody !== undefined && clock.random() < model.moody) return refusal(429, null, 20)
    const hit = limits.admit(counts(size))
    if (hit !== null) return refusal(429, hit.scope, hit.retryAfterMs)
    const normal = Math.sqrt(-2 * Math.log(1 - clock.random())) * Math.cos(2 * Math.PI * clock.random())
    const longer = now >= (model.longer?.fromMs ?? Number.POSITIVE_INFINITY) ? (model.longer?.times ?? 1) : 1
    const tookMs = capacity.serve(longer * medianMs * Math.exp(spread * normal))
    const { inputTokens, outputTokens } = size
    const usage = { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 }
    return { status: 200, tookMs, signal: signalOf(null, null), retryAfterMs: null, usage, taken: counts(size) }
  }
}

/** A limit as headers tell it; the tokens rounded to `step`. */
function windowOf(state: LimitState | null, step: number): LimitWindow | null {
  if (state === null) return null
  const { limit, remaining, fullInMs: resetMs } = state
  return { limit, remaining: Math.round(remaining / step) * step, resetMs, windowMs: 60_000 }
}

/** What a refusal names where headers tell nothing. */
function quotaOf(states: LimitStates, wanted: 'requests' | 'tokens' | null, retryAfterMs: number | null) {
  const state = wanted === null ? null : states[wanted]
  if (state === null) return null
  const window = { limit: state.limit, remaining: 0, resetMs: retryAfterMs, windowMs: 60_000 }
  return { ...NOTHING, [wanted === 'tokens' ? 'inputTokens' : 'requests']: window, retryAfterMs }
}
