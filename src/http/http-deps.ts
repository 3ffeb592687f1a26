import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { Principal, Scope } from '../domain/access.ts'
import type { Runtime } from '../runtime.ts'
import type { ServeConfig } from '../serve-config.ts'
import type { Service } from '../service.ts'
import type { Telemetry } from '../telemetry/telemetry.ts'

/** What the routes work with. */
export interface HttpDeps {
  readonly service: Service
  readonly config: ServeConfig
  readonly runtime: Runtime
  readonly version: string
  /** Reads a variable by name: where the secret of tokens stands. */
  readonly env: (name: string) => string | undefined
  readonly telemetry: Telemetry
  /** Aborts when the server is told to stop: streams end then, at a place from which they can be continued. */
  readonly stopping: AbortSignal
}

/** The server, whose routes' schemas are their types. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** How long an answer may take that is read as it is made, or for which all of an input is read, ms. */
export const LONG_ANSWER_MS = 3_600_000

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks; set before any handler of a route that asks for a scope. */
    principal: Principal
    /** A UUIDv7 for what the request makes: the same each time that it is repeated with its `Idempotency-Key`. */
    mintedId: string
  }
  interface FastifyContextConfig {
    /** What the caller must be allowed to do; absent: anybody may ask. */
    scope?: Scope
    /** In what shape errors are told. @default 'problem' */
    errors?: 'problem' | 'openai'
    /** The answer to the same `Idempotency-Key` is kept and given again. @default false */
    idempotent?: boolean
  }
}
