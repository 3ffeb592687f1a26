import type { Scope } from './domain/access.ts'
import type { Allowance } from './domain/allowance.ts'
import type { NoticeTarget } from './domain/notice.ts'

/** How `sluice serve` behaves: read once from its file, the environment and the flags, checked, then frozen. */
export interface ServeConfig {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** What callers reach it by, where that is not what it listens on; without a slash at the end. `null`: what the request came by. */
  readonly publicUrl: string | null
  readonly allowance: Allowance
  /** `null`: no token is taken, only keys. */
  readonly jwt: JwtConfig | null
  readonly limits: ServeLimits
  /** How this process works on jobs itself; `null`: it leaves that to workers. */
  readonly work: { readonly chunks: number; readonly concurrency: number | null } | null
  /** How long what is under way may take to end when the server is told to stop, ms. */
  readonly drainMs: number
  readonly telemetry: TelemetryConfig
  readonly openAiNotify: OpenAiNotify
}

/** Who hears, as OpenAI's webhooks do, when a batch of the OpenAI-compatible routes has ended; `null`: nobody. */
export interface OpenAiNotify {
  /** Of tenants that have an address of their own, by name. */
  readonly tenants: Readonly<Record<string, NoticeTarget | null>>
  /** Of all others. */
  readonly others: NoticeTarget | null
}

export interface JwtConfig {
  /** Exactly one of the two: the name of the variable that holds the secret of HS256, or where the public keys are. */
  readonly secretEnv: string | null
  readonly jwksUrl: string | null
  readonly issuer: string | null
  readonly audience: string | null
  /** The claim that names the tenant. */
  readonly tenantClaim: string
  /** The claim that lists scopes, as a list or as text with spaces; without it a token may do what `defaultScopes` say. */
  readonly scopeClaim: string
  readonly defaultScopes: readonly Scope[]
}

export interface ServeLimits {
  /** Bytes of a JSON body. */
  readonly bodyBytes: number
  /** Bytes of one input, or of one file. */
  readonly uploadBytes: number
  /** Bytes that one input may come to, unpacked and as rows. */
  readonly unpackedBytes: number
  /** Characters of one template, and bytes and depth of an output schema. */
  readonly templateChars: number
  readonly schemaBytes: number
  readonly schemaDepth: number
  /** Requests a minute for one key or token; streams and uploads count when they begin. */
  readonly requestsPerMinute: number
  /** Streams that one tenant may hold open. */
  readonly streamsPerTenant: number
  /** How long the store may take to answer a question, ms. */
  readonly queryMs: number
  /** Connections that the server holds open at a time; more are turned away. */
  readonly connections: number
  /** From which delay of the event loop (ms) and which memory (bytes) on new requests are turned away with 503. */
  readonly loopDelayMs: number
  readonly memoryBytes: number
}

export interface TelemetryConfig {
  /** A line of the log for each row that ends, and for each attempt. Never contents. */
  readonly rowLines: boolean
  /** Where traces go (OTLP over HTTP); `null`: nowhere. */
  readonly tracesUrl: string | null
  /** Of the chunks, the share that is traced, 0 to 1. */
  readonly traceShare: number
  /** The variable with the token that `/metrics` asks for; `null`: it answers without one, but only where the server listens on this machine alone. */
  readonly metricsTokenEnv: string | null
  /** Figures name tenants: one more label, as many values as there are tenants. */
  readonly tenants: boolean
}
