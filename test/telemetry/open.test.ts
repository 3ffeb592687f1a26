import { expect, it } from 'vitest'
import { readServeConfig } from '../../src/serve-config/read.ts'
import type { Service } from '../../src/service.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { openTelemetry } from '../../src/telemetry/open.ts'
import { aFleet } from '../cli/fake-engine.ts'
import { MemoryStream, manualRuntime } from '../cli/harness.ts'
import { newEvents } from './fixtures.ts'
import { parseMetrics } from './parse-metrics.ts'

function opened(level: 'info' | 'debug') {
  const stream = new MemoryStream(null)
  const runtime = manualRuntime()
  const { telemetry: config } = readServeConfig({ file: null, env: () => undefined, flags: {} })
  const service = { events: newEvents(), engine: () => ({ fleet: async () => aFleet() }) } as unknown as Service
  const telemetry = openTelemetry({
    config,
    asked: { rowLines: false, tracesUrl: null, traceShare: 0 },
    service,
    runtime,
    version: '1.2.3',
    log: createLog(stream, runtime, level),
    worker: () => null,
  })
  const lines = () =>
    stream.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  return { telemetry, lines, text: () => stream.text }
}

const REQUEST = { id: '1', method: 'GET', route: '/readyz', ms: 1.26, actor: null, tenant: null } as const

it('tells of requests; of probes only when they go wrong; of what is our fault as an error', () => {
  const { telemetry, lines } = opened('info')
  telemetry.requestEnded({ ...REQUEST, status: 200, end: 'answered' })
  telemetry.requestEnded({ ...REQUEST, status: 503, end: 'answered' })
  telemetry.requestEnded({ ...REQUEST, route: '/api/v1/jobs', status: 404, end: 'answered', actor: 'local' })
  expect(lines().map(({ level, route, status, ms }) => [level, route, status, ms])).toEqual([
    ['error', '/readyz', 503, 1.3],
    ['info', '/api/v1/jobs', 404, 1.3],
  ])
})

it('says where a failure came from, and what it said only to those who ask for everything', () => {
  const error = new Error('outer', { cause: new SyntaxError('"a row" is not valid JSON') })
  const failure = { id: '1', route: '/x', error }
  const usual = opened('info')
  usual.telemetry.requestFailed(failure)
  expect(usual.lines()).toMatchObject([
    { level: 'error', msg: 'a request failed', from: [{ name: 'Error' }, { name: 'SyntaxError' }] },
  ])
  expect(usual.text()).toContain('open.test.ts')
  expect(usual.text()).not.toContain('a row')
  const all = opened('debug')
  all.telemetry.requestFailed(failure)
  expect(all.lines()[1]).toMatchObject({ level: 'debug', messages: ['outer', '"a row" is not valid JSON'] })
})

it('has figures of process and fleet in one text, and lets go', async () => {
  const { telemetry } = opened('info')
  const metrics = parseMetrics(await telemetry.metrics())
  expect(metrics.value('sluice_build_info', { version: '1.2.3', node: process.versions.node })).toBe(1)
  expect(metrics.value('sluice_in_flight')).toBe(0)
  expect(metrics.value('sluice_queue_messages', { state: 'ready' })).toBe(120)
  await telemetry.close()
})
