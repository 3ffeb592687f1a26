import type { NanoUsd, Price } from './money.ts'

/** Tokens of one request as its provider counted them. `inputTokens` includes cached ones, `outputTokens` includes reasoning. */
export interface Usage {
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly cacheWriteTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
}

export const NO_USAGE: Usage = Object.freeze({
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
})

/**
 * What `usage` costs at `price`, rounded to a whole nano-dollar once (half up). `null` when the price is unknown.
 * Cached and cache-write tokens are parts of `inputTokens` and are charged at their own price where it is known.
 */
export function costOf(usage: Usage, price: Price | null): NanoUsd | null {
  if (price === null) return null
  const plain = usage.inputTokens - usage.cachedInputTokens - usage.cacheWriteTokens
  const sum =
    BigInt(plain) * BigInt(price.inputNanoPerMillion) +
    BigInt(usage.cachedInputTokens) * BigInt(price.cachedInputNanoPerMillion ?? price.inputNanoPerMillion) +
    BigInt(usage.cacheWriteTokens) * BigInt(price.cacheWriteNanoPerMillion ?? price.inputNanoPerMillion) +
    BigInt(usage.outputTokens) * BigInt(price.outputNanoPerMillion)
  return Number((sum * BigInt(price.lanePermille ?? 1000) + 500_000_000n) / 1_000_000_000n)
}

/**
 * The dearest that a request of at most so many tokens can come to: nothing of it is read from a cache, and all of it is written to one
 * where that costs more than plain input (Anthropic: 1.25 times).
 */
export function worstUsage(inputTokens: number, outputTokens: number, price: Price | null): Usage {
  const isWriteDearer = (price?.cacheWriteNanoPerMillion ?? 0) > (price?.inputNanoPerMillion ?? 0)
  return {
    inputTokens,
    cachedInputTokens: 0,
    cacheWriteTokens: isWriteDearer ? inputTokens : 0,
    outputTokens,
    reasoningTokens: 0,
  }
}
