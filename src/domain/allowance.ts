import type { PriceSpec } from './spec.ts'

/** Where a model is that the operator has named, what it is called there, and what it costs. */
export interface KnownModel {
  /** `provider/model`; of the default, the provider alone. */
  readonly id: string
  readonly baseUrl: string | null
  readonly apiKeyEnv: string | null
  /** Absent: as the table of prices says. */
  readonly price?: PriceSpec
}

/**
 * What specs that come over the network may name of the operator's surroundings. Whatever is not here they cannot reach: no file, no variable, no key,
 * no address inside. Addresses are prefixes.
 */
export interface Allowance {
  /** What a model is that is named without its provider; `null`: such names are refused. */
  readonly defaultModel: KnownModel | null
  /** Models by the names that callers know. */
  readonly models: Readonly<Record<string, KnownModel>>
  /** Variables that `${NAME}` may name, those of `notify` included. */
  readonly env: readonly string[]
  /** Further addresses of providers, and variables with keys for them. */
  readonly baseUrls: readonly string[]
  readonly keyEnvs: readonly string[]
  /** Object storage that may be read as input, and written with results: `s3://bucket/prefix/`. */
  readonly inputs: readonly string[]
  readonly writes: readonly string[]
  /** Notices may go to addresses in private networks. @default false */
  readonly privateNotices?: boolean
  /** Bytes that one input may come to, unpacked and as rows. @default no bound */
  readonly unpackedBytes?: number
}

/** Specs may name models of the usual providers, and nothing else. */
export const NOTHING_ALLOWED: Allowance = Object.freeze({
  defaultModel: null,
  models: {},
  env: [],
  baseUrls: [],
  keyEnvs: [],
  inputs: [],
  writes: [],
})

/** The model of a name that a caller gave: one that the operator has named, `provider/model`, or one of the default provider. `null`: none of them. */
export function modelOf(name: string, { models, defaultModel }: Allowance): KnownModel | null {
  const named = Object.hasOwn(models, name) ? models[name] : undefined
  if (named !== undefined) return named
  if (/^[a-z][a-z0-9-]*\/\S+$/.test(name)) return { id: name, baseUrl: null, apiKeyEnv: null }
  return defaultModel === null ? null : { ...defaultModel, id: `${defaultModel.id}/${name}` }
}
