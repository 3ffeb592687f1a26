import { SluiceError } from '../errors.ts'
import type { App, HttpDeps } from './http-deps.ts'
import { type Listening, listenAt } from './listen.ts'
import { isLoopback } from './local.ts'
import { refuseSlowSenders } from './slow-senders.ts'

/** The headers of a request must be whole by then. */
const HEADERS_MS = 20_000
/** A connection that nothing is asked on is kept longer than balancers keep theirs: who closes first must not be us. */
const KEEP_ALIVE_MS = 75_000
/** When a silent connection is asked whether its other end still lives. */
const PROBE_MS = 60_000
/** While the server drains: how often connections are closed on which nothing is left to do. */
const SWEEP_MS = 100

/** A server that listens. */
export interface RunningServer extends Listening {
  /**
   * Takes no more connections, lets the requests under way end within the configured time, then ends them; at once when `abandon` aborts. Returns how
   * many connections had to be cut.
   */
  drain(abandon: AbortSignal): Promise<number>
}

/**
 * Lets the server listen. Throws SluiceError `usage` where its address cannot be had, and where others than this machine could reach it though
 * nobody would have to say who he is.
 */
export async function startServer(app: App, deps: HttpDeps): Promise<RunningServer> {
  const { config, runtime } = deps
  await refuseStrangers(deps)
  const { server } = app
  server.headersTimeout = HEADERS_MS
  // An upload may take hours; whoever sends nothing is found by `refuseSlowSenders`.
  server.requestTimeout = 0
  server.keepAliveTimeout = KEEP_ALIVE_MS
  server.maxConnections = config.limits.connections
  server.on('connection', (socket) => socket.setKeepAlive(true, PROBE_MS))
  const stopLooking = refuseSlowSenders(server, runtime)
  const listening = await listenAt(app, config, 'Choose another with --port and --host.').catch((error: unknown) => {
    stopLooking()
    throw error
  })
  return Object.freeze({
    ...listening,
    async drain(abandon: AbortSignal) {
      stopLooking()
      return drain(app, deps, abandon)
    },
  })
}

async function drain(app: App, { config, runtime }: HttpDeps, abandon: AbortSignal): Promise<number> {
  const { server } = app
  const over = new AbortController()
  const closed = app.close().finally(() => over.abort())
  const untilMs = runtime.elapsed() + config.drainMs
  const wake = AbortSignal.any([over.signal, abandon])
  while (!wake.aborted && runtime.elapsed() < untilMs) {
    server.closeIdleConnections()
    await runtime.sleep(SWEEP_MS, wake).catch(() => undefined)
  }
  const left = over.signal.aborted ? 0 : await connectionsOf(app)
  server.closeAllConnections()
  await closed
  return left
}

function connectionsOf({ server }: App): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count ?? 0)))
}

async function refuseStrangers({ config, service, runtime }: HttpDeps): Promise<void> {
  if (isLoopback(config.host) || config.jwt !== null) return
  if (await service.keys.any(runtime.now())) return
  throw new SluiceError(
    'usage',
    `${config.host} can be reached by others, and there is no key yet that they would need`,
    {
      hint: 'Make one with `sluice key create`, configure jwt, or listen on 127.0.0.1.',
    },
  )
}
