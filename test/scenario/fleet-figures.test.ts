import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { type Metrics, parseMetrics } from '../telemetry/parse-metrics.ts'
import { type JobFolder, jobFolder, provider } from './job-folder.ts'
import { ask, type Server, startServer } from './server.ts'
import { type SluiceProcess, until } from './sluice-process.ts'

const ROWS = 120
const INPUT = `id,text\n${Array.from({ length: ROWS }, (_, n) => `t${n},please refund ${n}`).join('\n')}\n`

interface Span {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
}

/** A collector of traces, and the spans that came. */
async function collector() {
  const spans: Span[] = []
  const server = createServer(async (request, response) => {
    const { resourceSpans } = JSON.parse(await text(request))
    for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans)
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close().closeAllConnections())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, spans }
}

/** A worker with a port for its figures. */
async function startWorker(folder: JobFolder): Promise<{ readonly url: string; readonly process: SluiceProcess }> {
  const process = folder.start('worker', '--metrics-port', '0', '--chunks', '2')
  onTestFinished(() => void process.child.kill('SIGKILL'))
  const urlIn = () => /figures at (\S+)\/metrics/.exec(process.stderr())?.[1]
  await until(() => urlIn() !== undefined, 'the worker says where its figures are')
  return { url: urlIn() as string, process }
}

const metricsOf = async (url: string) => parseMetrics(await (await fetch(`${url}/metrics`)).text())

async function startJob({ url }: Server, more: object = {}): Promise<string> {
  const spec = {
    version: 1,
    name: 'refunds',
    input: { source: 'tickets.csv' },
    model: { id: 'small' },
    prompt: { user: 'Label: {{ text }}' },
    output: { fields: { topic: 'enum[billing, refund]' }, on_invalid: { attempts: 2 } },
    execution: { chunk_rows: 10, cache: 'off', concurrency: { max: 16 }, ...more },
  }
  const { body, status } = await ask(`${url}/api/v1/jobs`, { body: { spec } })
  expect(status, JSON.stringify(body)).toBe(201)
  await fetch(body.upload_url as string, { method: 'PUT', body: INPUT, headers: { 'content-type': 'text/csv' } })
  expect((await ask(`${url}/api/v1/jobs/${body.job_id}/start`, { method: 'POST' })).status).toBe(202)
  return body.job_id as string
}

const stateOf = async ({ url }: Server, id: string) => (await ask(`${url}/api/v1/jobs/${id}`)).body.state

/** The sum over processes, as a counter is read; where none has it, 0. */
function total(all: readonly Metrics[], name: string, labels: Readonly<Record<string, string>>): number {
  return all.reduce((sum, one) => sum + one.sum(name, labels), 0)
}

it('the figures of all processes are those of the store, whatever goes wrong on the way', async () => {
  const folder = await jobFolder()
  const faults = [
    '--rate-limited',
    '4%',
    '--server-error',
    '4%',
    '--refusal',
    '3%',
    '--malformed',
    '4%',
    '--reset',
    '3%',
  ]
  const simulated = await provider(folder, '--latency', '60ms', '--retry-after', '100ms', '--seed', '3', ...faults)
  const model = `models: { small: { id: openai-compatible/m, base_url: "${simulated.url}/v1", price: { input: 1, output: 4 } } }`
  const server = await startServer(folder, model, '--no-work')
  const other = await startServer(folder, model, '--no-work')
  const workers = [await startWorker(folder), await startWorker(folder)]
  const id = await startJob(server)
  await until(async () => (await stateOf(server, id)) === 'completed', 'the job is over', 120_000)
  const cancelled = await startJob(server)
  await until(async () => (await folder.count("rows where state = 'succeeded'")) > ROWS, 'rows of it are there')
  expect((await ask(`${server.url}/api/v1/jobs/${cancelled}/cancel`, { method: 'POST' })).status).toBe(200)
  await until(async () => (await stateOf(server, cancelled)) === 'cancelled', 'it is cancelled')

  const urls = [server.url, other.url, ...workers.map(({ url }) => url)]
  const all = await Promise.all(urls.map(metricsOf))
  const states = await folder.query<{ state: string; n: number }>(
    'select state, count(*) as n from rows group by state',
  )
  expect(states.length).toBeGreaterThan(2)
  for (const { state, n } of states)
    expect([state, total(all, 'sluice_rows_total', { state })]).toEqual([state, Number(n)])
  const attempts = await folder.query<{ cause: string | null; n: number }>(
    "select cause, count(*) as n from attempts where state = 'booked' group by cause",
  )
  expect(attempts.length).toBeGreaterThan(4)
  for (const { cause, n } of attempts)
    expect([cause, total(all, 'sluice_attempts_total', { cause: cause ?? 'ok' })]).toEqual([cause, Number(n)])
  const [used] = await folder.query<{ input: number; output: number; cost: number }>(
    "select sum(input_tokens) as input, sum(output_tokens) as output, sum(cost_nano) as cost from attempts where state = 'booked'",
  )
  const tokens = (type: string) => total(all, 'sluice_tokens_total', { type })
  expect(tokens('input') + tokens('cached')).toBe(Number(used?.input))
  expect(tokens('output')).toBe(Number(used?.output))
  expect(total(all, 'sluice_cost_usd_total', {})).toBeCloseTo(Number(used?.cost) / 1e9, 9)
  expect(total(all, 'sluice_limit_wait_seconds_total', { cause: 'rate_limited' })).toBeGreaterThan(0)

  // What the store knows is the same from everywhere, and nothing is left to be done.
  for (const one of all) {
    expect(one.value('sluice_workers')).toBe(2)
    expect(one.value('sluice_worker_chunks', { state: 'capacity' })).toBe(4)
    for (const state of ['ready', 'leased']) expect(one.value('sluice_queue_messages', { state })).toBe(0)
    expect(one.value('sluice_queue_oldest_ready_seconds')).toBe(0)
    expect(one.value('sluice_in_flight')).toBe(0)
  }
  await server.kill()
  await server.restart()
  const again = await metricsOf(server.url)
  expect(again.sum('sluice_rows_total', {})).toBe(0)
  expect(again.value('sluice_workers')).toBe(2)
}, 240_000)

it('while work is under way the figures say so, and a trace holds together though a worker died', async () => {
  const traces = await collector()
  const folder = await jobFolder({ SLUICE_TRACES_URL: traces.url, SLUICE_TRACE_SHARE: '1' })
  // Spans are sent every five seconds: long enough for some to be there while rows are in flight.
  const simulated = await provider(folder, '--latency', '2s')
  const model = `models: { small: { id: openai-compatible/m, base_url: "${simulated.url}/v1" } }`
  const server = await startServer(folder, model, '--no-work')
  const id = await startJob(server)
  const queued = () => metricsOf(server.url)
  await until(async () => (await queued()).value('sluice_queue_oldest_ready_seconds') > 0, 'work waits')
  const first = await startWorker(folder)
  await until(async () => {
    const now = await metricsOf(first.url)
    return (
      now.value('sluice_in_flight') > 0 &&
      now.value('sluice_chunks_held') === 2 &&
      now.sum('sluice_rows_total', {}) > 20
    )
  }, 'the worker has rows in flight')
  const fleet = await queued()
  expect(fleet.value('sluice_jobs', { state: 'running' })).toBe(1)
  expect(fleet.value('sluice_queue_messages', { state: 'leased' })).toBeGreaterThan(0)
  expect(fleet.value('sluice_worker_chunks', { state: 'held' })).toBeGreaterThan(0)
  await until(() => traces.spans.some(({ name }) => name === 'row'), 'spans of rows have come')
  first.process.child.kill('SIGKILL')
  const second = await startWorker(folder)
  await until(async () => (await stateOf(server, id)) === 'completed', 'the job is over', 120_000)
  expect((await metricsOf(second.url)).sum('sluice_attempts_total', { cause: 'lost' })).toBeGreaterThan(0)
  second.process.child.kill('SIGTERM')
  expect(await second.process.ended).toBe(0)

  const { spans } = traces
  expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([id.replace('job_', '').replaceAll('-', '')]))
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  expect(byId.size).toBe(spans.length)
  const above: Readonly<Record<string, string>> = { chunk: 'job', row: 'chunk', 'chat m': 'row' }
  for (const { name, parentSpanId = '' } of spans)
    expect([name, byId.get(parentSpanId)?.name]).toEqual([name, above[name]])
  expect(spans.filter(({ name }) => name === 'job')).toHaveLength(1)
}, 240_000)
