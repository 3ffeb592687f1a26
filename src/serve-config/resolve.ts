import type { Allowance, KnownModel } from '../domain/allowance.ts'
import type { NoticeTarget } from '../domain/notice.ts'
import type { JwtConfig, OpenAiNotify, ServeConfig, ServeLimits, TelemetryConfig } from '../serve-config.ts'
import { readAddress } from '../spec/notify-address.ts'
import { filePositions, newReport } from '../spec/positions.ts'
import { parseDuration } from '../spec/quantity.ts'
import { deepFreeze } from '../spec/record.ts'
import { resolvePrice } from '../spec/resolve-model.ts'
import { type Shape, shapeWithin } from '../spec/shape.ts'
import { SERVE_SCHEMA, type ServeFile } from './schema.ts'
import { sizeBytes } from './size.ts'

/** A checked file with the defaults that its schema names: the whole configuration, frozen. */
export function resolveServeFile(file: ServeFile): ServeConfig {
  const limits = resolveLimits(file.limits ?? {})
  return deepFreeze<ServeConfig>({
    host: file.host ?? standard('host'),
    port: file.port ?? standard('port'),
    publicUrl: file.public_url?.replace(/\/+$/, '') ?? null,
    allowance: resolveAllowance(file, limits),
    jwt: resolveJwt(file.jwt),
    limits,
    work:
      file.work === false
        ? null
        : { chunks: file.work?.chunks ?? DEFAULT_CHUNKS, concurrency: file.work?.concurrency ?? null },
    drainMs: milliseconds(file.drain ?? standard('drain')),
    telemetry: resolveTelemetry(file.telemetry ?? {}),
    openAiNotify: resolveNotify(file.openai_notify ?? {}),
  })
}

function resolveNotify({ tenants = {}, ...others }: NonNullable<ServeFile['openai_notify']>): OpenAiNotify {
  const own = Object.entries(tenants).map(([tenant, hook]) => [tenant, resolveHook(hook)] as const)
  return { others: resolveHook(others), tenants: Object.fromEntries(own) }
}

/** The target of webhooks; a file with an address that is none was refused before. */
function resolveHook({ webhook, secret_env: secretEnv }: Hook): NoticeTarget | null {
  const read = webhook === undefined ? null : readAddress(webhook, 'webhook')
  if (read === null || 'problem' in read) return null
  return { kind: 'webhook', address: read.address, secretEnv: secretEnv ?? null }
}

type Hook = Pick<NonNullable<ServeFile['openai_notify']>, 'webhook' | 'secret_env'>

/** A file with a price that is none was refused before. */
function priceOf({ price }: Pick<Exclude<ModelEntry, string>, 'price'>): Pick<KnownModel, 'price'> {
  const resolved = resolvePrice(price, [], newReport(filePositions('')))
  return resolved === null ? {} : { price: resolved }
}

type ModelEntry = NonNullable<ServeFile['models']>[string]

/** As `sluice worker`. */
const DEFAULT_CHUNKS = 5

function resolveAllowance(
  { default_model: standardModel, models = {}, allow = {} }: ServeFile,
  { unpackedBytes }: Pick<ServeLimits, 'unpackedBytes'>,
): Allowance {
  const known = (id: string, at: { readonly base_url?: string; readonly api_key_env?: string }): KnownModel => ({
    id,
    baseUrl: at.base_url ?? null,
    apiKeyEnv: at.api_key_env ?? null,
  })
  return {
    defaultModel: standardModel === undefined ? null : known(standardModel.provider, standardModel),
    models: Object.fromEntries(
      Object.entries(models).map(([name, model]) => [
        name,
        typeof model === 'string' ? known(model, {}) : { ...known(model.id, model), ...priceOf(model) },
      ]),
    ),
    env: allow.env ?? [],
    baseUrls: allow.base_urls ?? [],
    keyEnvs: allow.key_envs ?? [],
    inputs: allow.inputs ?? [],
    writes: allow.writes ?? [],
    unpackedBytes,
  }
}

function resolveJwt(jwt: ServeFile['jwt']): JwtConfig | null {
  if (jwt === undefined) return null
  return {
    secretEnv: jwt.secret_env ?? null,
    jwksUrl: jwt.jwks_url ?? null,
    issuer: jwt.issuer ?? null,
    audience: jwt.audience ?? null,
    tenantClaim: jwt.tenant_claim ?? standard('jwt', 'tenant_claim'),
    scopeClaim: jwt.scope_claim ?? standard('jwt', 'scope_claim'),
    defaultScopes: jwt.default_scopes ?? [],
  }
}

function resolveLimits(limits: NonNullable<ServeFile['limits']>): ServeLimits {
  const bytes = (name: 'body' | 'upload' | 'unpacked' | 'schema' | 'memory') =>
    sizeBytes(limits[name] ?? standard('limits', name))
  const whole = (
    name: 'template_chars' | 'schema_depth' | 'requests_per_minute' | 'streams_per_tenant' | 'connections',
  ): number => limits[name] ?? standard('limits', name)
  const ms = (name: 'query' | 'loop_delay') => milliseconds(limits[name] ?? standard('limits', name))
  return {
    bodyBytes: bytes('body'),
    uploadBytes: bytes('upload'),
    unpackedBytes: bytes('unpacked'),
    templateChars: whole('template_chars'),
    schemaBytes: bytes('schema'),
    schemaDepth: whole('schema_depth'),
    requestsPerMinute: whole('requests_per_minute'),
    streamsPerTenant: whole('streams_per_tenant'),
    queryMs: ms('query'),
    connections: whole('connections'),
    loopDelayMs: ms('loop_delay'),
    memoryBytes: bytes('memory'),
  }
}

function resolveTelemetry(telemetry: NonNullable<ServeFile['telemetry']>): TelemetryConfig {
  return {
    rowLines: telemetry.row_lines ?? false,
    tracesUrl: telemetry.traces_url ?? null,
    traceShare: telemetry.trace_share ?? standard('telemetry', 'trace_share'),
    metricsTokenEnv: telemetry.metrics_token_env ?? null,
    tenants: telemetry.tenants ?? false,
  }
}

/** The default that the schema names: said once, there, and shown in the docs. */
function standard<T>(...path: readonly string[]): T {
  const shape = path.reduce<Shape | null>(
    (at, key) => (at === null ? null : shapeWithin(at, key)),
    SERVE_SCHEMA as unknown as Shape,
  )
  if (shape?.default === undefined) throw new Error(`the schema names no default for ${path.join('.')}`)
  return shape.default as T
}

function milliseconds(text: string): number {
  return parseDuration(text) as number
}
