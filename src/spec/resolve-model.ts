import { type Allowance, type KnownModel, modelOf } from '../domain/allowance.ts'
import { isCause } from '../domain/failure.ts'
import type { ModelParams, ModelTarget } from '../domain/request.ts'
import type { FallbackSpec, ModelSpec, PriceSpec, Spec } from '../domain/spec.ts'
import { SluiceError } from '../errors.ts'
import { formatPath, type Path, type Report } from './positions.ts'
import { parseDecimal, parseShare } from './quantity.ts'
import { deepFreeze } from './record.ts'
import type { SpecFile } from './schema.ts'

/** A value of which any part may be missing; what is there has its right shape. */
export type Pruned<T> = T extends readonly (infer Item)[]
  ? readonly (Pruned<Item> | undefined)[]
  : T extends object
    ? { readonly [K in keyof T]?: Pruned<T[K]> | undefined }
    : T

type ModelBlock = Pruned<SpecFile['model']>
type FallbackBlock = NonNullable<NonNullable<ModelBlock['fallback']>[number]>

/** The block `model`, with what a fallback takes over from it. */
export function resolveModel(model: ModelBlock | undefined, report: Report): ModelSpec {
  const target: ModelTarget = {
    id: model?.id ?? '',
    baseUrl: model?.base_url ?? null,
    apiKeyEnv: model?.api_key_env ?? null,
    params: resolveParams(model?.params),
  }
  requireAddress(target, ['model'], report)
  const fallback = (model?.fallback ?? []).flatMap((block, index) => {
    const resolved = block === undefined ? null : resolveFallback(block, target, ['model', 'fallback', index], report)
    return resolved === null ? [] : [resolved]
  })
  return { target, price: resolvePrice(model?.price, ['model', 'price'], report), fallback }
}

function resolveFallback(block: FallbackBlock, main: ModelTarget, path: Path, report: Report): FallbackSpec | null {
  if (block.id === undefined) return null
  const isSameProvider = providerOf(block.id) === providerOf(main.id)
  const target: ModelTarget = {
    id: block.id,
    baseUrl: block.base_url ?? (isSameProvider ? main.baseUrl : null),
    apiKeyEnv: block.api_key_env ?? (isSameProvider ? main.apiKeyEnv : null),
    params: { ...main.params, ...resolveParams(block.params) },
  }
  requireAddress(target, path, report)
  const when = [...new Set((block.when ?? []).filter((cause) => cause !== undefined && isCause(cause)))]
  for (const [index, cause] of (block.when ?? []).entries()) {
    if (cause !== undefined && NEVER_ASKED.has(cause)) {
      report.warning([...path, 'when', index], `no model is asked after ${cause}: a fallback never sees it`)
    }
  }
  return {
    target,
    price: resolvePrice(block.price, [...path, 'price'], report),
    when,
    maxShare: block.max_share === undefined ? null : parseShare(block.max_share),
  }
}

/** Causes that stand before or after any model: no other one can help. */
const NEVER_ASKED: ReadonlySet<string> = new Set([
  'template_error',
  'input_unreadable',
  'row_budget',
  'chunk_failed',
  'cancelled',
  'batch_expired',
])

function resolveParams(params: ModelBlock['params']): ModelParams {
  const { stop, ...others } = params ?? {}
  const kept = Object.fromEntries(Object.entries(others).filter(([, value]) => value !== undefined)) as ModelParams
  return stop === undefined ? kept : { ...kept, stop: stop.filter((text) => text !== undefined) }
}

/** A price, as it is written; `null`: none, or none whole. */
export function resolvePrice(price: ModelBlock['price'], path: Path, report: Report): PriceSpec | null {
  if (price?.input === undefined || price.output === undefined) return null
  const decimal = (key: 'input' | 'output' | 'cached_input' | 'cache_write'): string | null => {
    const value = price[key]
    if (value === undefined) return null
    const parsed = parseDecimal(value)
    if (parsed === null)
      report.error(
        [...path, key],
        `${formatPath([...path, key])} must be a decimal with at most nine decimals, got ${value}`,
      )
    return parsed
  }
  const cacheWrite = decimal('cache_write')
  return {
    input: decimal('input') ?? '0',
    output: decimal('output') ?? '0',
    cachedInput: decimal('cached_input'),
    ...(cacheWrite !== null && { cacheWrite }),
  }
}

function requireAddress(target: ModelTarget, path: Path, report: Report): void {
  if (providerOf(target.id) !== 'openai-compatible' || target.baseUrl !== null) return
  report.error(
    [...path, 'base_url'],
    `${formatPath([...path, 'base_url'])} is missing`,
    'An openai-compatible model needs its address: http://localhost:8000/v1.',
  )
}

/** The provider of a model id: what stands before the first slash. */
export function providerOf(id: string): string {
  return id.split('/', 1)[0] ?? ''
}

/**
 * The spec with another model, as `retry --model` and `run --model` ask for it: address and key variable stay where the provider
 * does, a price only where the model does, parameters and fallbacks always.
 */
export function withModel(spec: Spec, id: string): Spec {
  const { target } = spec.model
  if (target.id === id) return spec
  const isSameProvider = providerOf(target.id) === providerOf(id)
  const changed: ModelTarget = isSameProvider ? { ...target, id } : { ...target, id, baseUrl: null, apiKeyEnv: null }
  return deepFreeze({ ...spec, model: { ...spec.model, target: changed, price: null } })
}

/** The spec with a model that the operator knows, at its price; where none is known, the spec's own is kept only where the model stays. */
export function withKnownModel(spec: Spec, { id, baseUrl, apiKeyEnv, price: known }: KnownModel): Spec {
  const { target, price } = spec.model
  const isSame = target.id === id && target.baseUrl === baseUrl
  const changed: ModelTarget = { ...target, id, baseUrl, apiKeyEnv }
  return deepFreeze({ ...spec, model: { ...spec.model, target: changed, price: known ?? (isSame ? price : null) } })
}

/** The model of a name that a caller gave. Throws SluiceError `spec_invalid` where it is none of this server. */
export function namedModel(name: string, allowance: Allowance): KnownModel {
  const known = modelOf(name, allowance)
  if (known !== null) return known
  throw new SluiceError('spec_invalid', `${JSON.stringify(name)} names no model of this server`, {
    hint: 'Name it with its provider: openai/gpt-5-mini.',
  })
}
