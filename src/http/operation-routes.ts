import { timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sha256 } from '../runtime.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { asksFromHere, isLoopback } from './local.ts'

/** What Prometheus reads. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What is asked by those who look after a process. */
export interface Operation {
  /** Resolves where the process can take work. */
  checkReady(): Promise<void>
  /** In the text form of Prometheus. */
  metrics(): Promise<string>
  /** The address that is listened on. */
  readonly host: string
  /** What `/metrics` asks for; `null`: only programs on this machine may read it, where nobody else can reach it. */
  readonly metricsToken: string | null
  /** How an operator gives it one. */
  readonly tokenSetting: string
  /** How long an answer may take, ms. */
  readonly queryMs: number
  /** Aborts when the process is told to stop. */
  readonly stopping: AbortSignal
}

/** Adds the routes of operators to a server. */
export function addOperationRoutes(app: App, { service, config, telemetry, env, stopping }: HttpDeps): void {
  const { metricsTokenEnv } = config.telemetry
  addProbes(app, {
    checkReady: () => service.checkReady(),
    metrics: () => telemetry.metrics(),
    host: config.host,
    metricsToken: metricsTokenEnv === null ? null : (env(metricsTokenEnv) ?? ''),
    tokenSetting: 'telemetry.metrics_token_env',
    queryMs: config.limits.queryMs,
    stopping,
  })
}

/**
 * Adds what those ask who look after a process: `/livez` answers as long as the process does, `/readyz` where it can take work, `/metrics` with figures.
 * They ask for no key.
 */
export function addProbes(app: App, operation: Operation): void {
  const { queryMs, stopping } = operation
  const hidden = { schema: { hide: true }, config: { rateLimit: false } } as const

  const asking = { ...hidden, handlerTimeout: queryMs }

  app.get('/livez', hidden, async (_request, reply) => text(reply, 200, 'ok'))

  app.get('/readyz', asking, async (_request, reply) => {
    if (stopping.aborted) return text(reply, 503, 'stopping')
    try {
      await operation.checkReady()
      return text(reply, 200, 'ok')
    } catch {
      // What is wrong is in the log of whoever runs this; the message may hold an address.
      return text(reply, 503, 'the store does not answer')
    }
  })

  const mayRead = createMetricsCheck(operation)
  app.get('/metrics', asking, async (request, reply) => {
    const refusal = mayRead(request)
    if (refusal !== null) return text(reply, refusal.status, refusal.why)
    return reply
      .header('content-type', METRICS_TYPE)
      .header('cache-control', 'no-store')
      .send(await operation.metrics())
  })
}

/**
 * Figures are about all tenants: no key of one of them is good for that. With a token of their own they ask for it; without one they are there only
 * where nobody but this machine can ask.
 */
function createMetricsCheck({
  host,
  metricsToken,
  tokenSetting,
}: Operation): (request: FastifyRequest) => Refusal | null {
  if (metricsToken === null) {
    return (request) =>
      isLoopback(host) && asksFromHere(request) ? null : { status: 404, why: `${tokenSetting} is not set` }
  }
  // Of hashes, which have one length, the comparison tells nothing by the time that it takes.
  const expected = Buffer.from(sha256(`Bearer ${metricsToken}`))
  return ({ headers: { authorization = '' } }) =>
    timingSafeEqual(Buffer.from(sha256(authorization)), expected)
      ? null
      : { status: 401, why: 'the token of /metrics is asked for' }
}

interface Refusal {
  readonly status: number
  readonly why: string
}

function text(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'text/plain; charset=utf-8')
    .header('cache-control', 'no-store')
    .send(`${message}\n`)
}
