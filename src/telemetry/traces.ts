import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, RandomIdGenerator, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace'
import type { ChunkRef } from '../domain/chunk.ts'
import type { JobId } from '../domain/job.ts'
import type { AttemptEnd, EventMap, Events, RowEnd } from '../events.ts'
import { GEN_AI, genAiModel, isCounted } from './gen-ai.ts'
import { chunkSpanId, isTraced, jobSpanId, traceIdOf, withinJob } from './span-ids.ts'

/** Spans that wait to be sent; more are dropped: a collector that is away costs no memory. */
const QUEUE_MAX = 4_096
const BATCH_MAX = 512
const SEND_MS = 10_000

/** How traces are made. */
export interface TraceOptions {
  readonly exporter: SpanExporter
  readonly version: string
  /** Of the chunks, the share that is traced. */
  readonly share: number
}

/** Sends spans to a collector, OTLP over HTTP. */
export function otlpExporter(url: string): SpanExporter {
  return new OTLPTraceExporter({ url, timeoutMillis: SEND_MS })
}

/**
 * Makes traces of what is worked on here: job > chunk > row > `chat {model}`, with ids, figures and causes, never contents. Spans are made when they are
 * over, from times that are known anyway. The way out sends what is left.
 */
export function traceWork(events: Events, { exporter, version, share }: TraceOptions): () => Promise<void> {
  const random = new RandomIdGenerator()
  let given: { readonly traceId: string; readonly spanId: string } | null = null
  const processor = new BatchSpanProcessor({
    exporter,
    maxQueueSize: QUEUE_MAX,
    maxExportBatchSize: BATCH_MAX,
    exportTimeoutMillis: SEND_MS,
  })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'sluice', 'service.version': version }),
    spanProcessors: [processor],
    // The span of a job has an id of its own making: its chunks, in other processes, name it as their parent before it is written.
    idGenerator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    },
  })
  const tracer = provider.getTracer('sluice', version)
  const chunks = new Map<string, OpenChunk>()
  const under = <T>(jobId: JobId, spanId: string, make: () => T): T => {
    given = { traceId: traceIdOf(jobId), spanId }
    try {
      return make()
    } finally {
      given = null
    }
  }
  const endJob = (job: EventMap['job.ended']) =>
    under(job.jobId, jobSpanId(job.jobId, job.round), () => jobSpan(tracer, job))
  const openSpan = (first: AttemptEnd, epoch: number) =>
    under(first.jobId, chunkSpanId(first, epoch), () => chunkSpan(tracer, first))
  /** A worker that died has sent the rows that it brought to their end, and not what they stand below. */
  const endForLost = (first: AttemptEnd, epoch: number) =>
    openSpan(first, epoch).setAttribute('sluice.chunk.end', 'lost').end(new Date(first.startedAtMs))
  /** Of what it was asked of rows that go on elsewhere there is a trace as well. */
  const endChunk = (key: string, end: string) => {
    const chunk = chunks.get(key)
    chunks.delete(key)
    if (chunk === undefined || chunk.span === null) return
    for (const [rowIndex, asked] of chunk.attempts) rowSpan(tracer, chunk.span, asked, leftRow(rowIndex, asked))
    chunk.span.setAttribute('sluice.chunk.end', end).end()
  }
  const offs = [
    events.on('chunk.claimed', (chunk) => {
      if (!isTraced(chunk, share)) return
      chunks.set(keyOf(chunk), { epoch: chunk.epoch, afterDeath: chunk.lost > 0, span: null, attempts: new Map() })
    }),
    events.on('attempt.ended', (attempt) => {
      const chunk = chunks.get(keyOf(attempt))
      if (chunk === undefined) return
      if (chunk.span === null && chunk.afterDeath) endForLost(attempt, chunk.epoch - 1)
      chunk.span ??= openSpan(attempt, chunk.epoch)
      const earlier = chunk.attempts.get(attempt.rowIndex) ?? []
      chunk.attempts.set(attempt.rowIndex, [...earlier, attempt])
    }),
    events.on('rows.ended', (rows) => {
      const chunk = chunks.get(keyOf(rows))
      if (chunk === undefined || chunk.span === null) return
      for (const row of rows.each()) {
        const asked = chunk.attempts.get(row.rowIndex)
        chunk.attempts.delete(row.rowIndex)
        if (asked !== undefined) rowSpan(tracer, chunk.span, asked, row)
      }
    }),
    ...(['chunk.done', 'chunk.released', 'chunk.stale'] as const).map((name) =>
      events.on(name, (ref) => endChunk(keyOf(ref), name.slice('chunk.'.length))),
    ),
    events.on('job.ended', endJob),
  ]
  return async () => {
    for (const off of offs) off()
    for (const key of [...chunks.keys()]) endChunk(key, 'left')
    await provider.shutdown()
  }
}

/** A chunk in hand, of those that are traced. */
interface OpenChunk {
  readonly epoch: number
  /** Who held it before has died over it. */
  readonly afterDeath: boolean
  /** Made with its first request: a chunk all of whose rows are reused or skipped has none. */
  span: Span | null
  /** By row, those that have ended. */
  readonly attempts: Map<number, readonly AttemptEnd[]>
}

function keyOf({ jobNo, chunkNo }: ChunkRef): string {
  return `${jobNo}/${chunkNo}`
}

function jobSpan(tracer: Tracer, job: EventMap['job.ended']): void {
  const { counters } = job
  const span = tracer.startSpan(
    'job',
    {
      startTime: new Date(job.startedAtMs ?? job.createdAtMs),
      attributes: {
        'sluice.job.id': job.jobId,
        'sluice.job.round': job.round,
        'sluice.job.state': job.state,
        'sluice.rows.succeeded': counters.succeeded,
        'sluice.rows.failed': counters.failed,
        'sluice.attempts': counters.attempts,
        'sluice.cost.nano_usd': counters.costNano,
      },
    },
    ROOT_CONTEXT,
  )
  if (job.state === 'failed') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(new Date(job.endedAtMs))
}

function chunkSpan(tracer: Tracer, { jobId, round, chunkNo, startedAtMs }: AttemptEnd): Span {
  const attributes = { 'sluice.job.id': jobId, 'sluice.chunk.no': chunkNo }
  return tracer.startSpan('chunk', { startTime: new Date(startedAtMs), attributes }, withinJob(jobId, round))
}

/** A row as a span tells of it: one without an outcome yet is `open`. */
type TracedRow = Pick<RowEnd, 'rowIndex' | 'cause' | 'attempts' | 'endedAtMs'> & {
  readonly state: RowEnd['state'] | 'open'
}

function leftRow(rowIndex: number, asked: readonly AttemptEnd[]): TracedRow {
  const endedAtMs = Math.max(...asked.map((attempt) => attempt.endedAtMs))
  return { rowIndex, state: 'open', cause: null, attempts: asked.length, endedAtMs }
}

/** A row that was asked for here, with its requests below it. */
function rowSpan(tracer: Tracer, parent: Span, asked: readonly AttemptEnd[], row: TracedRow): void {
  const span = tracer.startSpan(
    'row',
    {
      startTime: new Date(Math.min(...asked.map(({ startedAtMs }) => startedAtMs))),
      attributes: {
        'sluice.row.index': row.rowIndex,
        'sluice.row.state': row.state,
        'sluice.row.attempts': row.attempts,
        ...errorOf(row.cause),
      },
    },
    trace.setSpan(ROOT_CONTEXT, parent),
  )
  for (const attempt of asked) chatSpan(tracer, span, attempt)
  if (row.state === 'failed') span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(new Date(row.endedAtMs))
}

function chatSpan(tracer: Tracer, parent: Span, attempt: AttemptEnd): void {
  const { provider, model } = genAiModel(attempt.model)
  const span = tracer.startSpan(
    `chat ${model}`,
    {
      kind: SpanKind.CLIENT,
      startTime: new Date(attempt.startedAtMs),
      attributes: {
        [GEN_AI.operation]: 'chat',
        [GEN_AI.provider]: provider,
        [GEN_AI.model]: model,
        ...(isCounted(attempt) && {
          [GEN_AI.inputTokens]: attempt.usage.inputTokens,
          [GEN_AI.outputTokens]: attempt.usage.outputTokens,
        }),
        'sluice.attempt': attempt.number,
        'sluice.lane': attempt.lane,
        ...errorOf(attempt.cause),
      },
    },
    trace.setSpan(ROOT_CONTEXT, parent),
  )
  if (attempt.cause !== null) span.setStatus({ code: SpanStatusCode.ERROR })
  span.end(new Date(attempt.endedAtMs))
}

function errorOf(cause: string | null): Attributes {
  return cause === null ? {} : { [GEN_AI.error]: cause }
}
