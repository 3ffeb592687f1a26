import type { Config } from '../config.ts'
import type { WorkerStatus } from '../engine.ts'
import { SluiceError } from '../errors.ts'
import type { Service } from '../service.ts'
import type { CommandContext } from './context.ts'

/** Where a worker tells operators how it is. */
export interface PortWanted {
  readonly port: number
  readonly host: string
  /** `null`: `/metrics` answers this machine alone. */
  readonly token: string | null
  /** Figures name tenants. */
  readonly tenants: boolean
}

/** As flags have it. */
export interface PortFlags {
  readonly metricsPort?: number
  readonly metricsHost?: string
  readonly metricsTokenEnv?: string
}

const LOOPBACK = '127.0.0.1'
const PORT_MAX = 65_535
/** How long the store may take to answer, as at a server. */
const QUERY_MS = 10_000
const HINT = 'Choose another with --metrics-port and --metrics-host, or leave both out.'

/** What flags and variables ask for, flags first; `null`: nothing. Throws SluiceError `usage`. */
export function portWanted(flags: PortFlags, { env }: Pick<Config, 'env'>): PortWanted | null {
  const port = flags.metricsPort ?? portOf(env('SLUICE_METRICS_PORT'))
  const host = flags.metricsHost ?? env('SLUICE_METRICS_HOST')
  const tokenEnv = flags.metricsTokenEnv ?? env('SLUICE_METRICS_TOKEN_ENV')
  if (port === null) {
    if (flags.metricsHost !== undefined || flags.metricsTokenEnv !== undefined)
      throw new SluiceError('usage', 'no port is named for figures', { hint: 'Give --metrics-port, such as 9464.' })
    return null
  }
  if (port > PORT_MAX) throw new SluiceError('usage', `${port} is no port`, { hint: HINT })
  const token = tokenEnv === undefined ? null : env(tokenEnv)
  if (token === undefined)
    throw new SluiceError('usage', `the variable ${tokenEnv} is not set, which should hold the token of /metrics`, {
      hint: 'Set it, or name another with --metrics-token-env.',
    })
  return { port, host: host ?? LOOPBACK, token, tenants: env('SLUICE_METRICS_TENANTS') === '1' }
}

function portOf(text: string | undefined): number | null {
  if (text === undefined) return null
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new SluiceError('usage', 'SLUICE_METRICS_PORT: expected a port, such as 9464', {
    hint: 'Set it so, or unset it.',
  })
}

/**
 * Opens that port: `/livez`, `/readyz` and `/metrics`, as a server has them, until the way out is taken. Says where it is. `worker`: what it has in hand.
 * Throws SluiceError `usage` where the address cannot be had.
 */
export async function openOperationsPort(
  { deps, config, interruption, note }: CommandContext,
  service: Service,
  { port, host, token, tenants }: PortWanted,
  worker: () => WorkerStatus | null,
): Promise<() => Promise<void>> {
  // A second of loading that a worker without a port need not wait for.
  const [{ startOperationServer }, { createLog }, { openTelemetry }, { askedByVariables }] = await Promise.all([
    import('../http/operation-server.ts'),
    import('../telemetry/log.ts'),
    import('../telemetry/open.ts'),
    import('../telemetry/asked-by-variables.ts'),
  ])
  const telemetry = openTelemetry({
    // Lines and traces are told already, where variables ask for them.
    config: { rowLines: false, tracesUrl: null, traceShare: 0, metricsTokenEnv: null, tenants },
    asked: askedByVariables(config.env),
    service,
    runtime: deps.runtime,
    version: deps.version,
    log: createLog(deps.stderr, deps.runtime, config.logLevel),
    worker,
  })
  const operation = {
    checkReady: () => service.checkReady(),
    metrics: () => telemetry.metrics(),
    host,
    port,
    metricsToken: token,
    tokenSetting: 'SLUICE_METRICS_TOKEN_ENV',
    queryMs: QUERY_MS,
    stopping: interruption.stop,
  }
  const server = await startOperationServer(operation, HINT)
  note(`figures at ${server.url}/metrics`)
  return async () => {
    await server.close()
    await telemetry.close()
  }
}
