import type { WorkerStatus } from '../engine.ts'
import type { Runtime } from '../runtime.ts'
import type { TelemetryConfig } from '../serve-config.ts'
import type { Service } from '../service.ts'
import { createFigures } from './figures.ts'
import { measureFleet } from './fleet-figures.ts'
import { createHttpFigures } from './http-figures.ts'
import type { Log } from './log.ts'
import { observeWork, type WorkWatch } from './observe-work.ts'
import { measureProcess } from './process-figures.ts'
import type { RequestEnd, RequestFailure, Telemetry } from './telemetry.ts'
import { createTenantNames } from './tenant-names.ts'
import { measureWork } from './work-figures.ts'

export interface TelemetryDeps {
  readonly config: TelemetryConfig
  /** What this process tells already, since variables ask for it: it is not told twice. */
  readonly asked: WorkWatch
  readonly service: Service
  readonly runtime: Runtime
  readonly version: string
  readonly log: Log
  /** What the worker in this process has in hand; `null`: there is none. */
  readonly worker: () => WorkerStatus | null
}

/** Whose engine knows of all workers. */
const DEFAULT_TENANT = 1

/** Opens what a server tells its operators by: request lines and figures, and whatever else its configuration asks for. */
export function openTelemetry({ config, asked, service, runtime, version, log, worker }: TelemetryDeps): Telemetry {
  const figures = createFigures(version, log)
  const { meter } = figures
  const tenant = createTenantNames(config.tenants ? service.tenants : null)
  const engine = service.engine(DEFAULT_TENANT)
  const offs = [measureWork(meter, service.events, runtime, tenant)]
  measureFleet(meter, () => engine.fleet(), tenant)
  measureProcess(meter, version, worker)
  const http = createHttpFigures(meter)
  const { rowLines, tracesUrl, traceShare } = config
  const watch = {
    rowLines: rowLines && !asked.rowLines,
    tracesUrl: asked.tracesUrl === null ? tracesUrl : null,
    traceShare,
  }
  const stopWatching = observeWork(service.events, watch, log, version)
  return Object.freeze({
    requestEnded(request: RequestEnd) {
      http.requestEnded(request)
      logRequest(log, request)
    },
    requestFailed: (failure: RequestFailure) => logFailure(log, failure),
    streamOpened: http.streamOpened,
    metrics: () => figures.text(),
    async close() {
      for (const off of offs) off()
      await stopWatching()
      await figures.close()
    },
  })
}

/** What asks every few seconds whether all is well, and is worth a line only when it is not. */
const PROBES: ReadonlySet<string | null> = new Set(['/livez', '/readyz', '/metrics'])

function logRequest(log: Log, { id, method, route, status, ms, actor, tenant, end }: RequestEnd): void {
  const line = { request_id: id, method, route, status, ms: Math.round(ms * 10) / 10, actor, tenant, end }
  const level = PROBES.has(route) && status < 400 ? 'debug' : status >= 500 ? 'error' : 'info'
  log[level](line, 'request')
}

/**
 * Where it came from, through all of its causes. Messages may quote what was read (`JSON.parse` does), so they are there only for those who ask for
 * everything.
 */
function logFailure(log: Log, { id, route, error }: RequestFailure): void {
  const causes = causesOf(error)
  const from = causes.map(({ name, stack = '' }) => ({
    name,
    at: stack.split('\n').filter((line) => /^\s+at /.test(line)),
  }))
  log.error({ request_id: id, route, from }, 'a request failed')
  log.debug({ request_id: id, messages: causes.map(({ message }) => message) }, 'why a request failed')
}

function causesOf(error: unknown): readonly Error[] {
  if (!(error instanceof Error)) return error === undefined ? [] : [new Error(String(error))]
  return [error, ...causesOf(error.cause)]
}
