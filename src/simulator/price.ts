import type { Said } from './ask.ts'

/** US dollars per million tokens, as decimal strings. */
export interface SimulatedPrice {
  readonly input: string
  readonly output: string
  /** Input that was in the cache, and input that was written there; absent: as input. */
  readonly cachedInput?: string
  readonly cacheWrite?: string
}

/** What the simulator charges for models that its price list does not name. */
export const DEFAULT_SIMULATED_PRICE: SimulatedPrice = Object.freeze({
  input: '0.25',
  output: '2.00',
  cachedInput: '0.025',
  cacheWrite: '0.3125',
})

/** The name in a price list that stands for every other model. */
export const ANY_MODEL = '*'

/** What a request costs at its model's price, or `permille` thousandths of it, in whole nano-dollars, rounded half up once. */
export type Biller = (model: string, used: BilledTokens, permille?: number) => number

/** What a request used, as it is billed: cached and written tokens are parts of the input. */
export type BilledTokens = Pick<Said, 'inputTokens' | 'cachedTokens' | 'cacheWriteTokens' | 'outputTokens'>

/** A biller over a price list. Throws a `RangeError` where a price is no decimal number of dollars. */
export function createBiller(prices: Readonly<Record<string, SimulatedPrice>>): Biller {
  const list = new Map(Object.entries(prices).map(([model, price]) => [model, nanoPrice(price)]))
  const rest = list.get(ANY_MODEL) ?? nanoPrice(DEFAULT_SIMULATED_PRICE)
  return (model, { inputTokens, cachedTokens, cacheWriteTokens, outputTokens }, permille = 1000) => {
    const price = list.get(model) ?? rest
    const sum =
      BigInt(inputTokens - cachedTokens - cacheWriteTokens) * price.input +
      BigInt(cachedTokens) * price.cachedInput +
      BigInt(cacheWriteTokens) * price.cacheWrite +
      BigInt(outputTokens) * price.output
    return Number((sum * BigInt(permille) + 500_000_000n) / 1_000_000_000n)
  }
}

/** Nano-dollars per million tokens. */
function nanoPrice({ input, output, cachedInput = input, cacheWrite = input }: SimulatedPrice) {
  return {
    input: nanoDollars(input),
    output: nanoDollars(output),
    cachedInput: nanoDollars(cachedInput),
    cacheWrite: nanoDollars(cacheWrite),
  }
}

function nanoDollars(text: string): bigint {
  const match = /^(\d{1,7})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (match === null)
    throw new RangeError(`expected a price in dollars per million tokens, such as 0.25, got '${text}'`)
  return BigInt(match[1] as string) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
}
