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
  return Number((sum + 500_000n) / 1_000_000n)
}
