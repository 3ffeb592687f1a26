import { describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import type { FleetStatus } from '../../src/engine.ts'
import { createFigures } from '../../src/telemetry/figures.ts'
import { measureFleet } from '../../src/telemetry/fleet-figures.ts'
import { createHttpFigures } from '../../src/telemetry/http-figures.ts'
import { createTenantNames } from '../../src/telemetry/tenant-names.ts'
import { measureWork } from '../../src/telemetry/work-figures.ts'
import { aFleet } from '../cli/fake-engine.ts'
import { manualRuntime } from '../cli/harness.ts'
import { anAttempt, aRowEnd, memoryLog, newEvents, OF_JOB, rowsEnd } from './fixtures.ts'
import { parseMetrics } from './parse-metrics.ts'

const NO_LABELS = () => ({})

function measured(tenant: Parameters<typeof measureWork>[3] = NO_LABELS) {
  const events = newEvents()
  const runtime = manualRuntime()
  const { log, lines } = memoryLog()
  const figures = createFigures('1.2.3', log)
  const stop = measureWork(figures.meter, events, runtime, tenant)
  return { events, runtime, figures, stop, lines, read: async () => parseMetrics(await figures.text()) }
}

describe('what this process does, in figures', () => {
  it('counts rows by state, attempts by cause, tokens by type and what they cost', async () => {
    const { events, read } = measured()
    events.emit('attempt.ended', anAttempt())
    events.emit('attempt.ended', anAttempt({ cause: 'rate_limited', costNano: null, again: true }))
    events.emit('attempt.ended', anAttempt({ lane: 'batch' }))
    events.emit('rows.ended', rowsEnd([aRowEnd(), aRowEnd({ rowIndex: 1, state: 'failed', cause: 'refused' })]))
    const metrics = await read()
    expect(metrics.value('sluice_rows_total', { state: 'succeeded' })).toBe(1)
    expect(metrics.value('sluice_rows_total', { state: 'failed' })).toBe(1)
    expect(metrics.value('sluice_rows_reused_total')).toBe(1)
    expect(metrics.value('sluice_attempts_total', { cause: 'ok', lane: 'live' })).toBe(1)
    expect(metrics.value('sluice_attempts_total', { cause: 'rate_limited', lane: 'live' })).toBe(1)
    expect(metrics.value('sluice_attempts_total', { cause: 'ok', lane: 'batch' })).toBe(1)
    expect(metrics.value('sluice_cost_usd_total')).toBeCloseTo(0.004, 9)
    expect(metrics.value('sluice_tokens_total', { type: 'input' })).toBe(180)
    expect(metrics.value('sluice_tokens_total', { type: 'cached' })).toBe(120)
    expect(metrics.value('sluice_tokens_total', { type: 'output' })).toBe(30)
  })

  it('measures requests as the conventions for generative AI say, those of batches by tokens only', async () => {
    const { events, read } = measured()
    events.emit('attempt.ended', anAttempt({ model: 'google/gemini-3-flash' }))
    events.emit('attempt.ended', anAttempt({ model: 'google/gemini-3-flash', lane: 'batch' }))
    const labels = {
      gen_ai_operation_name: 'chat',
      gen_ai_provider_name: 'gcp.gemini',
      gen_ai_request_model: 'gemini-3-flash',
    }
    const metrics = await read()
    expect(metrics.value('gen_ai_client_operation_duration_seconds_count', labels)).toBe(1)
    expect(metrics.value('gen_ai_client_operation_duration_seconds_sum', labels)).toBe(0.5)
    expect(metrics.value('gen_ai_client_operation_duration_seconds_bucket', { ...labels, le: '0.64' })).toBe(1)
    expect(metrics.value('gen_ai_client_operation_duration_seconds_bucket', { ...labels, le: '0.32' })).toBe(0)
    expect(metrics.value('gen_ai_client_token_usage_sum', { ...labels, gen_ai_token_type: 'input' })).toBe(200)
  })

  it('counts the time of overlapping holds of an account once', async () => {
    const { events, runtime, read } = measured()
    const at = runtime.now()
    const hold = (account: string, ms: number) =>
      events.emit('limit.wait', { account, untilMs: at + ms, cause: 'rate_limited' })
    hold('a', 4_000)
    hold('a', 6_000)
    hold('a', 5_000)
    hold('b', 1_000)
    expect((await read()).value('sluice_limit_wait_seconds_total', { cause: 'rate_limited' })).toBe(7)
  })

  it('counts rows that ended with their chunk, or with their job, and requests that were lost with their worker', async () => {
    const { events, read } = measured()
    events.emit('chunk.failed', { ...OF_JOB, chunkNo: 0, rows: 5 })
    events.emit('chunk.claimed', { ...OF_JOB, chunkNo: 1, epoch: 2, rows: 5, lost: 3 })
    const times = { createdAtMs: 0, startedAtMs: null, endedAtMs: 1 }
    const counters = { ...NO_COUNTS, succeeded: 9, cancelled: 7 }
    events.emit('job.ended', { ...OF_JOB, round: 1, state: 'cancelled', ...times, counters, cancelled: 4 })
    const metrics = await read()
    expect(metrics.value('sluice_rows_total', { state: 'failed' })).toBe(5)
    expect(metrics.value('sluice_rows_total', { state: 'cancelled' })).toBe(4)
    expect(metrics.value('sluice_attempts_total', { cause: 'lost', lane: 'live' })).toBe(3)
  })

  it('counts the time in which a limit was used up, and no tokens where the provider counted none', async () => {
    const { events, runtime, read } = measured()
    const limit = { kind: 'requests', limit: 60, windowMs: 60_000 } as const
    const at = runtime.now()
    events.emit('limit.bound', { account: 'a', limit, untilMs: at + 1_000 })
    events.emit('limit.bound', { account: 'a', limit, untilMs: at + 1_500 })
    events.emit('limit.wait', { account: 'a', untilMs: at + 2_000, cause: 'rate_limited' })
    events.emit('attempt.ended', anAttempt({ cause: 'rate_limited', usage: NO_USAGE }))
    const metrics = await read()
    expect(metrics.value('sluice_limit_wait_seconds_total', { cause: 'limit_requests' })).toBe(1.5)
    expect(metrics.value('sluice_limit_wait_seconds_total', { cause: 'rate_limited' })).toBe(0.5)
    expect(metrics.has('gen_ai_client_token_usage_count')).toBe(false)
  })

  it('says while the store cannot be written', async () => {
    const { events, read } = measured()
    expect((await read()).value('sluice_storage_failing')).toBe(0)
    events.emit('storage.failing', { message: 'the disk is full' })
    expect((await read()).value('sluice_storage_failing')).toBe(1)
    events.emit('storage.back', { afterMs: 5 })
    expect((await read()).value('sluice_storage_failing')).toBe(0)
  })

  it('keeps the number of series bounded, however many models callers think of', async () => {
    const { events, figures } = measured()
    for (let n = 0; n < 3_000; n += 1) events.emit('attempt.ended', anAttempt({ model: `openai/m${n}` }))
    const text = await figures.text()
    expect(text.match(/^gen_ai_client_operation_duration_seconds_count/gm)?.length).toBeLessThanOrEqual(500)
    expect(text).toContain('otel_metric_overflow="true"')
  })

  it('hears nothing any more once it was stopped', async () => {
    const { events, stop, read } = measured()
    stop()
    events.emit('attempt.ended', anAttempt())
    expect((await read()).has('sluice_attempts_total')).toBe(false)
  })

  it('names tenants only where it is told to', async () => {
    const names = createTenantNames({ get: async (no) => ({ tenantNo: no, name: `team-${no}`, caps: {} as never }) })
    const { events, read } = measured(names)
    events.emit('attempt.ended', anAttempt({ tenantNo: 2 }))
    events.emit('chunk.claimed', { ...OF_JOB, tenantNo: 3, chunkNo: 0, epoch: 1, rows: 1, lost: 0 })
    await Promise.resolve()
    await Promise.resolve()
    events.emit('attempt.ended', anAttempt({ tenantNo: 2 }))
    events.emit('attempt.ended', anAttempt({ tenantNo: 3 }))
    const metrics = await read()
    expect(metrics.value('sluice_cost_usd_total', { tenant: 'unknown' })).toBe(0.002)
    for (const tenant of ['team-2', 'team-3']) expect(metrics.value('sluice_cost_usd_total', { tenant })).toBe(0.002)
    expect(createTenantNames(null)(2)).toEqual({})
  })
})

describe('what the store knows of all processes, in figures', () => {
  const withFleet = (fleet: () => Promise<FleetStatus>) => {
    const { log, lines } = memoryLog()
    const figures = createFigures('1.2.3', log)
    measureFleet(figures.meter, fleet, NO_LABELS)
    return { lines, read: async () => parseMetrics(await figures.text()) }
  }

  it('tells what a fleet is sized by', async () => {
    const metrics = await withFleet(async () => aFleet()).read()
    expect(metrics.value('sluice_queue_messages', { state: 'ready' })).toBe(120)
    expect(metrics.value('sluice_queue_messages', { state: 'delayed' })).toBe(2)
    expect(metrics.value('sluice_queue_messages', { state: 'leased' })).toBe(1)
    expect(metrics.value('sluice_queue_oldest_ready_seconds')).toBe(4)
    expect(metrics.value('sluice_jobs', { state: 'running' })).toBe(1)
    expect(metrics.has('sluice_workers')).toBe(true)
  })

  it('leaves it out where the store does not answer, and says so in the log', async () => {
    const failing = withFleet(() => Promise.reject(new Error('no connection')))
    expect((await failing.read()).has('sluice_queue_messages')).toBe(false)
    expect(failing.lines()).toMatchObject([{ level: 'warn', msg: 'some figures could not be read' }])
  })
})

describe('requests and streams, in figures', () => {
  it('measures requests by route and status, and counts open streams by kind', async () => {
    const figures = createFigures('1.2.3', memoryLog().log)
    const http = createHttpFigures(figures.meter)
    const request = {
      id: '1',
      method: 'GET',
      route: '/api/v1/jobs/:id',
      status: 200,
      ms: 30,
      actor: null,
      tenant: null,
    }
    http.requestEnded({ ...request, end: 'answered' })
    http.requestEnded({ ...request, end: 'closed' })
    const [one, two] = [http.streamOpened('rows'), http.streamOpened('rows')]
    one()
    one()
    const metrics = parseMetrics(await figures.text())
    const labels = { http_request_method: 'GET', http_route: '/api/v1/jobs/:id' }
    for (const status of ['200', '499'])
      expect(
        metrics.value('http_server_request_duration_seconds_count', { ...labels, http_response_status_code: status }),
      ).toBe(1)
    expect(metrics.value('sluice_streams_open', { kind: 'rows' })).toBe(1)
    expect(metrics.value('sluice_streams_open', { kind: 'events' })).toBe(0)
    two()
  })
})
