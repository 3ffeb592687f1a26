import type { NanoUsd, Price } from '../domain/money.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import { costOf, type Usage } from '../domain/usage.ts'

/** What one row used that was asked: over all attempts of its round, the useless ones included. */
export interface Observation {
  /** Bytes of its first request. */
  readonly size: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** At today's price; `null`: no price is known. */
  readonly costNano: NanoUsd | null
  /** The same, had nothing of it been in its provider's cache of prompts. */
  readonly uncachedNano: NanoUsd | null
  /** `null`: not known, or it went by batch. */
  readonly latencyMs: number | null
}

/** Which part of a job's input tokens its provider's cache took, and at which price they are counted. */
export interface Rates {
  readonly price: Price | null
  /** 0..1, of the input. */
  readonly cachedShare: number
  readonly cacheWriteShare: number
}

/** What a row used that was really asked; `null`: it was not, or nobody knows. */
export function observe(outcome: StoredOutcome, size: number, rates: Rates): Observation | null {
  const { state, lane, inputTokens, outputTokens, latencyMs } = outcome
  if (lane === 'cache' || (state !== 'succeeded' && state !== 'failed')) return null
  // Neither tokens nor attempts: it failed before it was sent.
  if (outcome.attempts === 0 && inputTokens === 0) return null
  const usage = {
    inputTokens,
    cachedInputTokens: Math.round(inputTokens * rates.cachedShare),
    cacheWriteTokens: Math.round(inputTokens * rates.cacheWriteShare),
    outputTokens,
    reasoningTokens: 0,
  }
  // A fallback has another price: what was booked then is nearer.
  const costAs = (used: Usage) => (outcome.fallback ? (outcome.costNano ?? null) : costOf(used, rates.price))
  return {
    size,
    inputTokens,
    outputTokens,
    costNano: costAs(usage),
    uncachedNano: costAs({ ...usage, cachedInputTokens: 0, cacheWriteTokens: 0 }),
    latencyMs: lane === 'batch' ? null : latencyMs,
  }
}
