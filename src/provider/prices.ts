import { createRequire } from 'node:module'
import type { Price } from '../domain/money.ts'
import { NANO_PER_USD, parseUsd } from '../domain/money.ts'
import type { PriceSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import type { Address } from './target.ts'

/** The version of the bundled price table; a test holds it equal to the installed package. */
export const PRICE_TABLE = 'genai-prices 0.1.8'

/** Loaded when a price is first asked for: the table is most of a megabyte, and many commands need none. */
const require = createRequire(import.meta.url)
const table = () => require('@pydantic/genai-prices') as typeof import('@pydantic/genai-prices')

/** Whose list a provider's models stand in; the others are found by their address. */
const LISTS: Readonly<Record<string, string>> = {
  openai: 'openai',
  'openai-chat': 'openai',
  'openai-responses': 'openai',
  anthropic: 'anthropic',
  google: 'google',
}

/**
 * The price of a model: what the spec says, else the bundled table's as of `nowMs`, else `null` for unknown. Of prices that rise
 * with the length of the prompt it is the first tier's; batch and priority rates are not in it. Throws SluiceError
 * `spec_invalid` where the spec's own price is no decimal number.
 */
export function priceOf(address: Address, own: PriceSpec | null, nowMs: number): Price | null {
  return own === null ? listedPrice(address, nowMs) : specPrice(own, 'spec')
}

/** A price given as decimal strings, exactly. */
export function specPrice(own: PriceSpec, source: string): Price {
  return {
    inputNanoPerMillion: exact(own.input),
    outputNanoPerMillion: exact(own.output),
    cachedInputNanoPerMillion: own.cachedInput === null ? null : exact(own.cachedInput),
    cacheWriteNanoPerMillion: own.cacheWrite === undefined ? null : exact(own.cacheWrite),
    source,
  }
}

function exact(text: string): number {
  const nano = parseUsd(text)
  if (nano !== null) return nano
  throw new SluiceError('spec_invalid', `model.price: '${text}' is no price`, {
    hint: 'Write dollars per million tokens as a decimal string with up to nine decimals: "0.25".',
  })
}

function listedPrice(address: Address, nowMs: number): Price | null {
  const { calcPrice, findProvider } = table()
  const listed = LISTS[address.provider]
  const provider = findProvider(
    listed === undefined ? { providerApiUrl: address.baseUrl.href } : { providerId: listed },
  )
  if (provider === undefined) return null
  const found = calcPrice({ input_tokens: 1 }, address.model, { provider, timestamp: new Date(nowMs) })
  if (found === null) return null
  const {
    input_mtok: input,
    output_mtok: output,
    cache_read_mtok: cached,
    cache_write_mtok: written,
  } = found.model_price
  const [inputNano, outputNano] = [firstTier(input), firstTier(output)]
  if (inputNano === null || outputNano === null) return null
  return {
    inputNanoPerMillion: inputNano,
    outputNanoPerMillion: outputNano,
    cachedInputNanoPerMillion: firstTier(cached),
    cacheWriteNanoPerMillion: firstTier(written),
    source: `${PRICE_TABLE}, ${new Date(nowMs).toISOString().slice(0, 10)}`,
  }
}

function firstTier(price: number | { readonly base: number } | undefined): number | null {
  if (price === undefined) return null
  return Math.round((typeof price === 'number' ? price : price.base) * NANO_PER_USD)
}
