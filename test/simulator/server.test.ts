import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { simulatorFetch } from '../../src/simulator/fetch.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import type { RequestLogLine, RequestRecord } from '../../src/simulator/request-log.ts'
import { type SimulatorServer, startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator, type Simulator } from '../../src/simulator/simulator.ts'
import { after, chat, TICKET_SCHEMA } from './asking.ts'

let folder: string
let path: string
const open: SimulatorServer[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-simulator-'))
  path = join(folder, 'requests.ndjson')
})
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
  rmSync(folder, { recursive: true })
})

async function serve(
  options: Partial<SimulatorOptions> = {},
): Promise<{ simulator: Simulator; url: string; port: number }> {
  const simulator = createSimulator({ nowMs: () => 5_000, ...options })
  const server = await startSimulatorServer(simulator, { after, port: 0, requestLog: path })
  open.push(server)
  return { simulator, url: server.url, port: server.port }
}

function lines(): readonly RequestLogLine[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RequestLogLine)
}

function ask(url: string, text: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, { method: 'POST', headers, body: chat(text, TICKET_SCHEMA).body })
}

describe('the bill', () => {
  it('is the sum of the request log, whatever happened to the requests', async () => {
    const faults = { rate_limited: 0.2, server_error: 0.1, reset: 0.1, malformed: 0.1, truncated: 0.1, refusal: 0.1 }
    const { url, simulator } = await serve({ faults, prices: { '*': { input: '0.137', output: '2.9' } } })
    await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        ask(url, `row ${at}`)
          .then((r) => r.text())
          .catch(() => null),
      ),
    )
    const stats = simulator.stats()
    const log = lines()
    const sum = (pick: (line: RequestLogLine) => number) => log.reduce((total, line) => total + pick(line), 0)
    expect(log).toHaveLength(300)
    expect(stats).toMatchObject({
      requests: 300,
      billed_requests: sum((line) => (line.billed ? 1 : 0)),
      input_tokens: sum((line) => line.input_tokens),
      output_tokens: sum((line) => line.output_tokens),
      cost_nano: sum((line) => line.cost_nano),
    })
    for (const line of log.filter((one) => one.billed)) {
      expect(line.cost_nano).toBe(
        Math.floor((line.input_tokens * 137_000_000 + line.output_tokens * 2_900_000_000 + 500_000) / 1_000_000),
      )
    }
    for (const line of log.filter((one) => !one.billed))
      expect(line.cost_nano + line.input_tokens + line.output_tokens).toBe(0)
    expect(await (await fetch(`${url}/__simulator/stats`)).json()).toEqual(stats)
  })

  it('stands in the log before its answer is sent, under the client’s own id', async () => {
    const { url } = await serve()
    const response = await ask(url, 'hello', { 'x-sluice-attempt': 'att_1' })
    expect(lines()).toEqual([
      {
        seq: 1,
        time: 5_000,
        attempt: 'att_1',
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        model: 'tickets',
        status: 200,
        fault: null,
        billed: true,
        input_tokens: expect.any(Number),
        cached_tokens: 0,
        cache_write_tokens: 0,
        output_tokens: expect.any(Number),
        cost_nano: expect.any(Number),
        aborted: false,
      },
    ])
    const { usage } = (await response.json()) as { usage: { prompt_tokens: number; completion_tokens: number } }
    expect(lines()[0]).toMatchObject({ input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens })
  })

  it('is owed for an answer that nobody waited for', async () => {
    const { url, simulator } = await serve({ latency: { medianMs: 600_000, p99Ms: 600_000 } })
    const leaving = new AbortController()
    const asked = fetch(`${url}/v1/chat/completions`, { method: 'POST', body: chat('x').body, signal: leaving.signal })
    await vi.waitFor(() => expect(simulator.stats().billed_requests).toBe(1))
    leaving.abort()
    await expect(asked).rejects.toThrow()
    await vi.waitFor(() => expect(lines()).toMatchObject([{ billed: true, aborted: true, status: 200 }]))
  })
})

describe('the server', () => {
  it('breaks the connection of a reset, and says so in the log', async () => {
    const { url } = await serve({ faults: { reset: 1 } })
    const error = await ask(url, 'x').catch((e: unknown) => e)
    expect((error as { cause: { code: string } }).cause.code).toMatch(/ECONNRESET|UND_ERR_SOCKET/)
    expect(lines()).toMatchObject([{ status: 0, fault: 'reset', billed: false }])
  })

  it('listens on this machine alone, and nowhere after it is closed', async () => {
    const { url, port } = await serve()
    expect(url).toBe(`http://127.0.0.1:${port}`)
    await open.pop()?.close()
    await expect(ask(url, 'x')).rejects.toThrow()
  })

  it('closes over answers that are still to come, and notes them as unheard', async () => {
    const { url, simulator } = await serve({ latency: { medianMs: 600_000, p99Ms: 600_000 } })
    const asked = Promise.allSettled(Array.from({ length: 5 }, (_, at) => ask(url, `row ${at}`)))
    await vi.waitFor(() => expect(simulator.stats().requests).toBe(5))
    await open.pop()?.close()
    expect((await asked).map(({ status }) => status)).toEqual(Array(5).fill('rejected'))
    expect(lines().map((line) => line.aborted)).toEqual(Array(5).fill(true))
  })

  it('says why it cannot listen', async () => {
    const { port, simulator } = await serve()
    await expect(startSimulatorServer(simulator, { after, port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('outlives clients that break off in the middle of a request', async () => {
    const { url, port } = await serve()
    const socket = createConnection(port, '127.0.0.1')
    socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{"model"')
    await vi.waitFor(() => expect(socket.bytesWritten).toBeGreaterThan(60))
    socket.resetAndDestroy()
    expect((await ask(url, 'still there?')).status).toBe(200)
    expect(lines()).toHaveLength(1)
  })
})

describe('in process, as fetch', () => {
  const sleep = (ms: number, signal?: AbortSignal) => delay(ms, undefined, signal && { signal })
  const url = 'http://simulator.invalid/v1/chat/completions'
  const init = { method: 'POST', body: chat('I want a refund', TICKET_SCHEMA).body }

  it('answers like the server', async () => {
    const { url: served } = await serve()
    const inside = await simulatorFetch(createSimulator({ nowMs: () => 5_000 }), { sleep })(url, init)
    const outside = await fetch(`${served}/v1/chat/completions`, init)
    expect([inside.status, await inside.json()]).toEqual([outside.status, await outside.json()])
    expect(inside.headers.get('x-sluice-simulator')).toBe('1')
  })

  it('rejects a reset as Node does', async () => {
    const fetching = simulatorFetch(createSimulator({ nowMs: () => 0, faults: { reset: 1 } }), { sleep })
    const error = await fetching(url, init).catch((e: unknown) => e)
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNRESET' } })
  })

  it('stops waiting when it is told to, and still notes the bill', async () => {
    const noted: (readonly [RequestRecord, boolean])[] = []
    const log = (record: RequestRecord, _body: string, aborted: boolean) => {
      noted.push([record, aborted])
    }
    const simulator = createSimulator({ nowMs: () => 0, faults: { slow: 1 }, slowMs: 600_000 })
    const leaving = new AbortController()
    const asked = simulatorFetch(simulator, { sleep, log })(url, { ...init, signal: leaving.signal })
    leaving.abort()
    await expect(asked).rejects.toMatchObject({ name: 'AbortError' })
    expect(noted).toMatchObject([[{ billed: true, fault: 'slow' }, true]])
    const late = simulatorFetch(simulator, { sleep })(url, { ...init, signal: leaving.signal })
    await expect(late).rejects.toMatchObject({ name: 'AbortError' })
    expect(simulator.stats().requests).toBe(1)
  })
})
