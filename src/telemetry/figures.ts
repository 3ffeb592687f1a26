import type { Meter } from '@opentelemetry/api'
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import { emptyResource } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { Log } from './log.ts'

/** How long a question to the store may hold up what is measured, ms. */
const COLLECT_MS = 5_000
/** Series of one figure; what comes beyond is added up as `otel.metric.overflow`, whatever names callers think of. */
const SERIES_MAX = 500

/** Where instruments are made, and what they have measured. */
export interface Figures {
  readonly meter: Meter
  /** In the text form of Prometheus. What could not be asked is left out, and the log says why. */
  text(): Promise<string>
  close(): Promise<void>
}

/** Creates the figures of one process: read when somebody asks, sent nowhere. */
export function createFigures(version: string, log: Log): Figures {
  // It opens no port: its server is ours.
  const reader = new PrometheusExporter({ preventServerStart: true })
  const provider = new MeterProvider({
    resource: emptyResource(),
    readers: [reader],
    views: [{ instrumentName: '*', aggregationCardinalityLimit: SERIES_MAX }],
  })
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true)
  return Object.freeze({
    meter: provider.getMeter('sluice', version),
    async text() {
      const { resourceMetrics, errors } = await reader.collect({ timeoutMillis: COLLECT_MS })
      for (const error of errors) log.warn({ err: error }, 'some figures could not be read')
      return serializer.serialize(resourceMetrics)
    },
    close: () => provider.shutdown(),
  })
}
