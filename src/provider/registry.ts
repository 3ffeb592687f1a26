import type { ModelTarget } from '../domain/request.ts'
import type { PriceSpec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { apiOf } from './api.ts'
import { batchProtocol, createBatchKinds } from './batch-kind.ts'
import { offersFlex } from './flex.ts'
import { createLiveModel } from './live-model.ts'
import type { EncodedRequest, Model, Models } from './model.ts'
import { priceOf, specPrice } from './prices.ts'
import { cachesFrom } from './prompt-cache.ts'
import { type Address, isLoopback, readKey, resolveTarget } from './target.ts'
import { createTransport, type Transport } from './transport.ts'
import { type Exchange, exchangeOver, type FetchLike } from './wire.ts'

export interface ModelsOptions {
  /** Reads one variable of the environment. */
  readonly env: (name: string) => string | undefined
  readonly runtime: Runtime
  /** Default: one over undici. */
  readonly transport?: Pick<Transport, 'exchange' | 'close'>
  /** Answers `simulator/<name>` in this process, as an OpenAI-compatible server would; without it such a target needs a base_url. */
  readonly simulator?: SimulatedServer
}

export interface SimulatedServer {
  readonly fetch: FetchLike
  /** What it charges. */
  readonly price: PriceSpec
}

/** What all of them ask for batches (providers.md: OpenAI, Anthropic, Gemini, Azure, Mistral, Groq), and OpenAI and Gemini for flex. */
const HALF_PRICE = Object.freeze({ priceLanePermille: 500 })

/** The models that this process can reach. Each target is opened once; its key is read then, and stays in here. */
export function createModels(options: ModelsOptions): Models {
  const { env, runtime, simulator, transport = createTransport() } = options
  const opened = new Map<string, Model>()
  // A job holds on to its targets: most calls find their model by the target itself.
  const byTarget = new WeakMap<ModelTarget, Model>()

  const exchangeFor = (target: ModelTarget, address: Address): Exchange => {
    if (address.provider !== 'simulator' || target.baseUrl !== null) return transport.exchange
    if (simulator !== undefined) return exchangeOver(simulator.fetch)
    throw new SluiceError('spec_invalid', 'there is no simulator in this process', {
      hint: 'Start one with `sluice simulate` and give its address as model.base_url.',
    })
  }

  const connect = (target: ModelTarget): Model => {
    const address = resolveTarget(target)
    return createLiveModel({
      api: apiOf(address),
      model: address.model,
      cachesFrom: cachesFrom(address),
      baseUrl: address.baseUrl,
      key: readKey(address, env, target.apiKeyEnv !== null),
      exchange: exchangeFor(target, address),
      local: isLoopback(address.baseUrl),
      runtime,
    })
  }

  const open = (target: ModelTarget): Model => {
    const known = byTarget.get(target)
    if (known !== undefined) return known
    // Targets that differ in their params only share a model.
    const name = JSON.stringify([target.id, target.baseUrl, target.apiKeyEnv])
    const model = opened.get(name) ?? connect(target)
    opened.set(name, model)
    byTarget.set(target, model)
    return model
  }

  const account = (target: ModelTarget): string => {
    const { provider, model, baseUrl, keyEnv } = resolveTarget(target)
    const key = keyEnv[0] === undefined ? '' : ` with ${keyEnv[0]}`
    return `${provider}/${model} at ${baseUrl.host}${baseUrl.pathname.replace(/\/+$/, '')}${key}`
  }
  const kindOf = createBatchKinds()

  return Object.freeze({
    open,
    price(target: ModelTarget, own: PriceSpec | null) {
      const address = resolveTarget(target)
      if (own === null && address.provider === 'simulator') {
        return simulator === undefined ? null : specPrice(simulator.price, 'simulator')
      }
      return priceOf(address, own, runtime.now())
    },
    cachesFrom: (target: ModelTarget) => cachesFrom(resolveTarget(target)),
    account,
    batchKind: (target: ModelTarget, encoded: EncodedRequest) => kindOf(account(target), target, encoded),
    batches: (target: ModelTarget) => (batchProtocol(resolveTarget(target)) === null ? null : HALF_PRICE),
    flex: (target: ModelTarget) => (offersFlex(resolveTarget(target)) ? HALF_PRICE : null),
    close: () => transport.close(),
  })
}
