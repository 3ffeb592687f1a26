import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import { parseMetrics } from '../telemetry/parse-metrics.ts'
import { jobFolder, provider, ticketSpec, tickets } from './job-folder.ts'
import { ask, freePort, type Server, startServer } from './server.ts'
import { until } from './sluice-process.ts'

/** Stands in rows, in the prompt and in a key; must stand nowhere else. */
const CANARY = 'canary-5d2c1f'
const ROWS = 40

const SHORT = {
  filename: 'tickets.csv',
  name: 'refunds',
  columns_hint: ['id', 'text'],
  prompt_template: `Label ${CANARY}: {{ text }}`,
  schema_hint: { topic: 'enum[billing, refund]' },
  model: 'small',
}

const INPUT = `id,text\n${Array.from({ length: ROWS }, (_, n) => `${CANARY}-${n},"refund ${CANARY} ${n}"`).join('\n')}\n`

/** A job whose input is asked for; where it goes. */
async function created(server: Server): Promise<{ readonly id: string; readonly upload: string }> {
  const { status, body } = await ask(`${server.url}/api/v1/jobs`, { body: SHORT })
  expect(status, JSON.stringify(body)).toBe(201)
  return { id: body.job_id as string, upload: body.upload_url as string }
}

/** A request that the server has begun to take, and whose body comes when it is told to. */
async function openRequest({ url }: Server) {
  const body = JSON.stringify(SHORT)
  const headers = { 'content-length': body.length, 'content-type': 'application/json', expect: '100-continue' }
  const sending = httpRequest(`${url}/api/v1/jobs`, { method: 'POST', headers })
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    sending.on('response', resolve)
    sending.on('error', reject)
  })
  // Awaited by whoever wants to know; a connection that is cut is the point of one test.
  answer.catch(() => undefined)
  const taken = new Promise<void>((resolve) => sending.once('continue', resolve))
  sending.flushHeaders()
  await taken
  sending.write(body.slice(0, 10))
  return { answer, sendRest: () => sending.end(body.slice(10)) }
}

const isRefused = (url: string) =>
  fetch(url).then(
    () => false,
    () => true,
  )

/** What a collector of traces gets. */
async function collector() {
  const bodies: string[] = []
  const server = createServer(async (request, response) => {
    bodies.push(await text(request))
    response.setHeader('content-type', 'application/json').end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`, text: () => bodies.join('\n') }
}

it('a server that is told to stop lets no one in, ends what is under way, and is done', async () => {
  const folder = await jobFolder()
  const server = await startServer(folder, '{ default_model: { provider: simulator } }')
  const { answer, sendRest } = await openRequest(server)
  server.process.child.kill('SIGTERM')
  await until(() => isRefused(`${server.url}/livez`), 'nobody is let in any more')
  sendRest()
  expect((await answer).statusCode).toBe(201)
  expect(await server.process.ended).toBe(0)
  expect(server.process.stderr()).toContain('stopped; 0 connections had to be cut')
})

it('what does not end in its time is cut, and at once at a second signal', async () => {
  const folder = await jobFolder()
  const stalled = async (drain: string) => {
    const server = await startServer(folder, `{ drain: ${drain}, default_model: { provider: simulator } }`)
    const { answer } = await openRequest(server)
    server.process.child.kill('SIGTERM')
    await until(() => server.process.stderr().includes('"stopping'), 'it has heard')
    return { server, answer }
  }
  const patient = await stalled('500ms')
  expect(await patient.server.process.ended).toBe(0)
  await expect(patient.answer).rejects.toThrow(/hang up|ECONNRESET/)
  expect(patient.server.process.stderr()).toContain('stopped; 1 connection had to be cut')
  const hurried = await stalled('10m')
  await until(() => {
    const { child } = hurried.server.process
    child.kill('SIGTERM')
    return child.exitCode !== null || child.signalCode !== null
  }, 'it is gone')
  // One signal more than it takes may find it when it listens no more: to a shell that is the same.
  expect([143, 'SIGTERM']).toContain(await hurried.server.process.ended)
})

it('is refused where others could reach it and no key is there', async () => {
  const folder = await jobFolder()
  const { code, stderr } = await folder.run('serve', '--host', '0.0.0.0', '--port', String(await freePort()))
  expect(code).toBe(2)
  expect(stderr).toContain('0.0.0.0 can be reached by others, and there is no key yet')
  expect(stderr).toContain('sluice key create')
})

it('says so and ends where the worker in it cannot go on', async () => {
  const folder = await jobFolder()
  const server = await startServer(folder, '')
  await folder.tell('update schema_level set level = 999, oldest_level = 999')
  expect(await server.process.ended).toBe(1)
  expect(server.process.stderr()).toContain('the worker in this process has ended: ')
})

it('tells of every row in lines, figures and traces, and of no contents anywhere', async () => {
  const traces = await collector()
  const folder = await jobFolder({ SLUICE_LOG_LEVEL: 'debug' })
  const simulated = await provider(folder)
  const server = await startServer(
    folder,
    `
default_model: { provider: openai-compatible, base_url: ${simulated.url}/v1 }
telemetry: { row_lines: true, traces_url: "${traces.url}", trace_share: 1 }
`,
  )
  const { id, upload } = await created(server)
  await fetch(upload, { method: 'PUT', body: INPUT, headers: { 'content-type': 'text/csv' } })
  expect((await ask(`${server.url}/api/v1/jobs/${id}/start`, { method: 'POST' })).status).toBe(202)
  await until(async () => (await ask(`${server.url}/api/v1/jobs/${id}`)).body.state === 'completed', 'the job is over')
  await ask(`${server.url}/api/v1/jobs/${id}/rows/${CANARY}-7`)
  await fetch(`${server.url}/api/v1/jobs/${CANARY}?after=${CANARY}`)
  const figures = await (await fetch(`${server.url}/metrics`)).text()
  const metrics = parseMetrics(figures)
  expect(metrics.value('sluice_rows_total', { state: 'succeeded' })).toBe(ROWS)
  expect(metrics.value('sluice_attempts_total', { cause: 'ok', lane: 'live' })).toBe(ROWS)
  server.process.child.kill('SIGTERM')
  expect(await server.process.ended).toBe(0)
  const lines = server.process
    .stderr()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const rows = lines.filter(({ msg }) => msg === 'row')
  expect(rows.map(({ row_index }) => row_index).sort((a, b) => Number(a) - Number(b))).toEqual([...Array(ROWS).keys()])
  expect(rows.every(({ job_id, state }) => job_id === id && state === 'succeeded')).toBe(true)
  expect(lines.filter(({ msg }) => msg === 'attempt')).toHaveLength(ROWS)
  expect(lines).toContainEqual(expect.objectContaining({ msg: 'request', method: 'PUT', status: expect.any(Number) }))
  for (const name of ['"job"', '"chunk"', '"row"', '"chat ']) expect(traces.text()).toContain(`"name":${name}`)
  const traceId = id.replace('job_', '').replaceAll('-', '')
  expect(traces.text()).toContain(traceId)
  for (const written of [server.process.stderr(), server.process.stdout(), figures, traces.text()])
    expect(written).not.toContain(CANARY)
})

it('so does a command that works on rows, where variables ask for it', async () => {
  const traces = await collector()
  const folder = await jobFolder({
    SLUICE_LOG_ROWS: '1',
    SLUICE_TRACES_URL: traces.url,
    SLUICE_TRACE_SHARE: '1',
  })
  const simulated = await provider(folder)
  await folder.write('tickets.csv', tickets(20))
  await folder.write('spec.yaml', ticketSpec(simulated.url))
  const { code, stderr } = await folder.run('run', 'spec.yaml')
  expect(code, stderr).toBe(0)
  const lines = stderr.split('\n').filter((line) => line.startsWith('{"level"'))
  expect(lines.filter((line) => line.endsWith('"msg":"row"}'))).toHaveLength(20)
  expect(lines.filter((line) => line.endsWith('"msg":"attempt"}'))).toHaveLength(20)
  expect(traces.text().match(/"name":"row"/g)).toHaveLength(20)
  for (const written of [...lines, traces.text()]) expect(written).not.toContain('charged twice')
  expect((await folder.with({ SLUICE_TRACE_SHARE: 'half' }).run('jobs')).stderr).toContain(
    'SLUICE_TRACE_SHARE: expected',
  )
})
