import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import type { Events } from '../../src/events.ts'
import { isTraced } from '../../src/telemetry/span-ids.ts'
import { traceWork } from '../../src/telemetry/traces.ts'
import { anAttempt, aRowEnd, newEvents, OF_JOB, rowsEnd } from './fixtures.ts'

/** What is traced of what happens in `work`. */
async function traced(work: (events: Events) => void, share = 1): Promise<readonly ReadableSpan[]> {
  const exporter = new InMemorySpanExporter()
  const sent: ReadableSpan[] = []
  const keep = exporter.export.bind(exporter)
  exporter.export = (spans, done) => {
    sent.push(...spans)
    keep(spans, done)
  }
  const events = newEvents()
  const stop = traceWork(events, { exporter, version: '1.2.3', share })
  work(events)
  await stop()
  return sent
}

const CLAIMED = { ...OF_JOB, chunkNo: 0, epoch: 1, rows: 2, lost: 0 }
const ENDED = {
  ...OF_JOB,
  round: 0,
  state: 'completed',
  createdAtMs: 0,
  startedAtMs: 500,
  endedAtMs: 9_000,
  counters: { ...NO_COUNTS, succeeded: 1, attempts: 2 },
  cancelled: 0,
} as const

function aChunk(events: Events) {
  events.emit('chunk.claimed', CLAIMED)
  events.emit('attempt.ended', anAttempt({ cause: 'schema_invalid', again: true }))
  events.emit('attempt.ended', anAttempt({ number: 2, startedAtMs: 1_600, endedAtMs: 2_000 }))
  events.emit('rows.ended', rowsEnd([aRowEnd({ attempts: 2, endedAtMs: 2_001 })]))
  events.emit('chunk.done', { jobNo: 7, chunkNo: 0 })
}

const msOf = ([seconds, nanos]: readonly [number, number]) => seconds * 1000 + nanos / 1e6

describe('traces', () => {
  it('are job > chunk > row > chat, in one trace that the id of the job names', async () => {
    const spans = await traced((events) => {
      aChunk(events)
      events.emit('job.ended', ENDED)
    })
    const named = (name: string) => spans.filter((span) => span.name === name)
    const [[job], [chunk], [row], chats] = [named('job'), named('chunk'), named('row'), named('chat gpt-5-mini')]
    expect(spans).toHaveLength(5)
    expect(new Set(spans.map((span) => span.spanContext().traceId))).toEqual(
      new Set(['01934f5e000070008000000000000000']),
    )
    expect(job?.parentSpanContext).toBeUndefined()
    expect(chunk?.parentSpanContext?.spanId).toBe(job?.spanContext().spanId)
    expect(row?.parentSpanContext?.spanId).toBe(chunk?.spanContext().spanId)
    expect(chats.map((span) => span.parentSpanContext?.spanId)).toEqual(Array(2).fill(row?.spanContext().spanId))
    expect([job, row].map((span) => [msOf(span?.startTime ?? [0, 0]), msOf(span?.endTime ?? [0, 0])])).toEqual([
      [500, 9_000],
      [1_000, 2_001],
    ])
    const [first, second] = chats
    expect(first?.kind).toBe(SpanKind.CLIENT)
    expect(first?.status.code).toBe(SpanStatusCode.ERROR)
    expect(first?.attributes).toMatchObject({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'openai',
      'gen_ai.request.model': 'gpt-5-mini',
      'gen_ai.usage.input_tokens': 100,
      'gen_ai.usage.output_tokens': 10,
      'error.type': 'schema_invalid',
      'sluice.attempt': 1,
    })
    expect(second?.status.code).toBe(SpanStatusCode.UNSET)
    expect(second?.attributes).not.toHaveProperty('error.type')
  })

  it('of a round that was asked again are under a span of its own', async () => {
    const [one, two] = await traced((events) => {
      events.emit('job.ended', ENDED)
      events.emit('job.ended', { ...ENDED, round: 1 })
    })
    expect(one?.spanContext().spanId).not.toBe(two?.spanContext().spanId)
    expect(one?.spanContext().traceId).toBe(two?.spanContext().traceId)
  })

  it('leave out what is not among the share, and rows that asked nobody', async () => {
    expect(await traced(aChunk, 0)).toEqual([])
    const reused = await traced((events) => {
      events.emit('chunk.claimed', CLAIMED)
      events.emit('rows.ended', rowsEnd([aRowEnd({ attempts: 0, lane: 'cache' })]))
      events.emit('chunk.done', { jobNo: 7, chunkNo: 0 })
    })
    expect(reused).toEqual([])
  })

  it('end with a chunk that goes to another worker, and keep nothing of it', async () => {
    const spans = await traced((events) => {
      events.emit('chunk.claimed', CLAIMED)
      events.emit('attempt.ended', anAttempt())
      events.emit('chunk.stale', { jobNo: 7, chunkNo: 0 })
      events.emit('rows.ended', rowsEnd([aRowEnd()]))
    })
    const told = spans.map(({ name, attributes }) => [
      name,
      attributes['sluice.chunk.end'] ?? attributes['sluice.row.state'],
    ])
    // What was asked is told, though what came of the row is another worker's to tell.
    expect(told).toEqual([
      ['chat gpt-5-mini', undefined],
      ['row', 'open'],
      ['chunk', 'stale'],
    ])
  })

  it('hold together where a worker died: whoever takes its chunk up tells what its rows stand below', async () => {
    const exported: ReadableSpan[] = []
    const exporter = new InMemorySpanExporter()
    exporter.export = (spans, done) => {
      exported.push(...spans)
      done({ code: 0 })
    }
    const died = newEvents()
    const stop = traceWork(died, { exporter, version: '1.2.3', share: 1 })
    died.emit('chunk.claimed', CLAIMED)
    died.emit('attempt.ended', anAttempt())
    died.emit('rows.ended', rowsEnd([aRowEnd()]))
    await expect.poll(() => exported.length, { timeout: 10_000 }).toBe(2)
    const next = await traced((events) => {
      events.emit('chunk.claimed', { ...CLAIMED, epoch: 2, lost: 1 })
      events.emit('attempt.ended', anAttempt({ rowIndex: 1 }))
      events.emit('rows.ended', rowsEnd([aRowEnd({ rowIndex: 1 })]))
      events.emit('chunk.done', { jobNo: 7, chunkNo: 0 })
      events.emit('job.ended', ENDED)
    })
    const spans = [...exported, ...next]
    const ids = new Set(spans.map((span) => span.spanContext().spanId))
    expect(ids.size).toBe(spans.length)
    const parents = spans.flatMap((span) => span.parentSpanContext?.spanId ?? [])
    expect(parents).toHaveLength(spans.length - 1)
    for (const parent of parents) expect(ids).toContain(parent)
    const ends = spans.filter(({ name }) => name === 'chunk').map(({ attributes }) => attributes['sluice.chunk.end'])
    expect(ends).toEqual(['lost', 'done'])
    await stop()
  })

  it('tell no tokens of a request whose provider counted none', async () => {
    const spans = await traced((events) => {
      events.emit('chunk.claimed', CLAIMED)
      events.emit('attempt.ended', anAttempt({ cause: 'rate_limited', usage: NO_USAGE }))
      events.emit('chunk.released', { jobNo: 7, chunkNo: 0 })
    })
    const chat = spans.find(({ name }) => name.startsWith('chat'))
    expect(Object.keys(chat?.attributes ?? {}).filter((key) => key.startsWith('gen_ai.usage'))).toEqual([])
  })

  it('take the share of chunks that they are told to, the same ones everywhere', () => {
    const chunks = Array.from({ length: 4_000 }, (_, chunkNo) => ({ jobNo: 3, chunkNo }))
    const share = (of: number) => chunks.filter((chunk) => isTraced(chunk, of)).length / chunks.length
    expect(share(0.25)).toBeCloseTo(0.25, 1)
    expect([share(0), share(1)]).toEqual([0, 1])
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0, max: 1, noNaN: true }), (chunkNo, of) => {
        const chunk = { jobNo: 3, chunkNo }
        expect(isTraced(chunk, of)).toBe(isTraced(chunk, of))
        if (isTraced(chunk, of / 2)) expect(isTraced(chunk, of)).toBe(true)
      }),
    )
  })
})
