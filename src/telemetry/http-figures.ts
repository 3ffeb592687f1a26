import type { Meter } from '@opentelemetry/api'
import type { RequestEnd, StreamKind } from './telemetry.ts'

/** Buckets that the conventions advise for `http.server.request.duration`, s, and two for what waits on the store. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60]

const STREAMS: readonly StreamKind[] = ['rows', 'events', 'download']

/** What the HTTP face measures. */
export interface HttpFigures {
  requestEnded(request: RequestEnd): void
  streamOpened(kind: StreamKind): () => void
}

/** Measures requests by route and status, and counts the streams that are open. */
export function createHttpFigures(meter: Meter): HttpFigures {
  const duration = meter.createHistogram('http.server.request.duration.seconds', {
    description: 'How long requests took; streams until they ended.',
    unit: 's',
    advice: { explicitBucketBoundaries: BUCKETS },
  })
  const open = new Map(STREAMS.map((kind) => [kind, 0]))
  meter
    .createObservableGauge('sluice_streams_open', { description: 'Long answers that are being read, by kind.' })
    .addCallback((result) => {
      for (const [kind, count] of open) result.observe(count, { kind })
    })
  return Object.freeze({
    requestEnded({ method, route, status, ms, end }: RequestEnd) {
      duration.record(ms / 1000, {
        'http.request.method': method,
        'http.route': route ?? 'none',
        // As nginx says it: the caller went away first.
        'http.response.status_code': end === 'closed' ? 499 : status,
      })
    },
    streamOpened(kind: StreamKind) {
      open.set(kind, (open.get(kind) ?? 0) + 1)
      let over = false
      return () => {
        if (over) return
        over = true
        open.set(kind, (open.get(kind) ?? 1) - 1)
      }
    },
  })
}
