import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import type { HttpDeps } from '../../src/http/http-deps.ts'
import { startServer } from '../../src/http/server.ts'
import { refuseSlowSenders } from '../../src/http/slow-senders.ts'
import type { Runtime } from '../../src/runtime.ts'
import type { Service } from '../../src/service.ts'
import { NO_TELEMETRY, type RequestEnd, type RequestFailure } from '../../src/telemetry/telemetry.ts'
import { manualRuntime } from '../cli/harness.ts'
import { until } from '../scenario/sluice-process.ts'
import { openApi } from './api.ts'

/** What a server is made of, over a store of its own; a few of its parts may be others. */
async function parts(config = '{}', more: Partial<Omit<HttpDeps, 'service'>> = {}, verbs: Partial<Service> = {}) {
  const env = { METRICS: 'the-token' }
  const api = await openApi({ config, env })
  const service: Service = { ...api.service, ...verbs }
  const deps: HttpDeps = {
    service,
    config: api.config,
    runtime: api.runtime,
    version: '0.0.0-test',
    env: (name) => env[name as keyof typeof env],
    telemetry: { ...NO_TELEMETRY, metrics: async () => 'sluice_up 1\n' },
    stopping: new AbortController().signal,
    ...more,
  }
  const app = await createApp(deps)
  onTestFinished(() => app.close())
  const get = (url: string, headers = {}) => app.inject({ method: 'GET', url, headers })
  return { ...api, deps, app, get }
}

describe('/livez and /readyz', () => {
  it('answer as long as all is well, whoever asks', async () => {
    const { get, key } = await parts()
    await key()
    for (const path of ['/livez', '/readyz', '/livez/'])
      expect(await get(path)).toMatchObject({ statusCode: 200, body: 'ok\n' })
  })

  it('a server that stops is alive, and not ready', async () => {
    const { get } = await parts('{}', { stopping: AbortSignal.abort() })
    expect((await get('/livez')).statusCode).toBe(200)
    expect(await get('/readyz')).toMatchObject({ statusCode: 503, body: 'stopping\n' })
  })

  it('a server whose store does not answer is not ready, and does not say more', async () => {
    const checkReady = () => Promise.reject(new Error('postgres://me:hush@db failed'))
    const { get } = await parts('{}', {}, { checkReady })
    const { statusCode, body } = await get('/readyz')
    expect([statusCode, body]).toEqual([503, 'the store does not answer\n'])
  })

  it('a server whose store is silent is not ready either', async () => {
    const { get } = await parts('limits: { query: 50ms }', {}, { checkReady: () => new Promise(() => undefined) })
    expect((await get('/readyz')).statusCode).toBe(503)
  })
})

describe('/metrics', () => {
  it('is for this machine alone where it has no token, and the server listens nowhere else', async () => {
    const here = await parts()
    const answer = await here.get('/metrics')
    expect(answer).toMatchObject({ statusCode: 200, body: 'sluice_up 1\n' })
    expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
    // A page in a browser on this machine, and a proxy before the server, ask by other names.
    expect((await here.get('/metrics', { host: 'sluice.example.com' })).statusCode).toBe(404)
    const anywhere = await parts('host: 0.0.0.0')
    expect((await anywhere.get('/metrics')).statusCode).toBe(404)
  })

  it('asks for its token where it has one; a key of a tenant is none', async () => {
    const { get, key } = await parts('{ host: 0.0.0.0, telemetry: { metrics_token_env: METRICS } }')
    const status = async (authorization?: string) =>
      (await get('/metrics', authorization === undefined ? {} : { authorization })).statusCode
    expect(await status('Bearer the-token')).toBe(200)
    for (const wrong of [undefined, 'Bearer the-toke', 'the-token', `Bearer ${await key()}`])
      expect(await status(wrong)).toBe(401)
  })
})

describe('what went wrong in the server', () => {
  it('is told to its operator, and not to the caller', async () => {
    const failed: RequestFailure[] = []
    const telemetry = { ...NO_TELEMETRY, requestFailed: (failure: RequestFailure) => void failed.push(failure) }
    const defect = new TypeError('the secret of the day')
    const breaks = () => {
      throw defect
    }
    const { get } = await parts('{}', { telemetry }, { jobs: breaks, pages: breaks, engine: breaks })
    const { statusCode, body } = await get('/api/v1/jobs')
    expect(statusCode).toBe(500)
    expect(body).not.toContain('secret')
    expect(failed).toMatchObject([{ route: '/api/v1/jobs', error: defect }])
    await get('/nowhere')
    await get('/api/v1/jobs?limit=none')
    expect(failed).toHaveLength(1)
  })

  it('is not that a caller left in the middle of a body', async () => {
    const failed: RequestFailure[] = []
    const ended: RequestEnd[] = []
    const { app } = await parts('{}', {
      telemetry: {
        ...NO_TELEMETRY,
        requestFailed: (failure) => void failed.push(failure),
        requestEnded: (end) => void ended.push(end),
      },
    })
    await app.listen({ host: '127.0.0.1', port: 0 })
    const { port } = app.server.address() as AddressInfo
    const socket = connect(port, '127.0.0.1')
    socket.write(
      'POST /api/v1/check HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{',
    )
    await once(app.server, 'request')
    socket.destroy()
    await until(() => ended.length > 0, 'the request has ended')
    await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toMatchObject([{ route: '/api/v1/check', end: 'closed' }])
    expect(failed).toStrictEqual([])
  })
})

describe('startServer', () => {
  it('listens for everybody only where they have to say who they are', async () => {
    const { app, deps, key } = await parts('{ host: 0.0.0.0, port: 0 }')
    await expect(startServer(app, deps)).rejects.toMatchObject({ code: 'usage', exitCode: 2 })
    await key()
    const server = await startServer(app, deps)
    expect((await fetch(`http://127.0.0.1:${server.port}/livez`)).status).toBe(200)
    expect((await fetch(`http://127.0.0.1:${server.port}/api/v1/jobs`)).status).toBe(401)
    expect(await server.drain(new AbortController().signal)).toBe(0)
  })

  it('says that its port is taken', async () => {
    const one = await parts('port: 0')
    const { port } = await startServer(one.app, one.deps)
    const two = await parts(`port: ${port}`)
    const taken = { ...two.deps, config: { ...two.deps.config, port } }
    await expect(startServer(two.app, taken)).rejects.toThrow(`port ${port}: something else listens there`)
  })

  it('holds no more connections than it is told to', async () => {
    const { app, deps } = await parts('{ limits: { connections: 1 } }')
    const { port } = await startServer(app, deps)
    const first = connect(port, '127.0.0.1')
    onTestFinished(() => void first.destroy())
    await new Promise<void>((resolve) => first.once('connect', () => resolve()))
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow()
    first.destroy()
    await until(
      () =>
        fetch(`http://127.0.0.1:${port}/livez`).then(
          ({ ok }) => ok,
          () => false,
        ),
      'another is let in',
    )
  })
})

describe('whoever sends too slowly', () => {
  /** A server that reads what comes, looked at when the test says so. */
  async function watched() {
    let look: () => void = () => undefined
    const runtime: Runtime & { advance(ms: number): void } = {
      ...manualRuntime(),
      sleep: () => new Promise((resolve) => (look = resolve)),
    }
    const requests: IncomingMessage[] = []
    const server = createServer((request) => {
      requests.push(request)
      request.resume()
    })
    onTestFinished(refuseSlowSenders(server, runtime))
    onTestFinished(() => void server.close().closeAllConnections())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return {
      requests,
      async open(type: string): Promise<{ readonly socket: Socket; readonly closed: () => boolean }> {
        const before = requests.length
        const socket = connect(port, '127.0.0.1')
        socket.on('error', () => undefined)
        onTestFinished(() => void socket.destroy())
        socket.write(`PUT /x HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 1000000\r\n\r\n`)
        await until(() => requests.length > before, 'the request is there')
        return { socket, closed: () => (requests[before] as IncomingMessage).socket.destroyed }
      },
      async pass(ms: number) {
        runtime.advance(ms)
        look()
        await new Promise((resolve) => setImmediate(resolve))
      },
    }
  }
  const received = (request: IncomingMessage | undefined) => request?.socket.bytesRead ?? 0

  it('is let go after half a minute without a byte; an upload at a kilobyte a second is not', async () => {
    const { open, pass, requests } = await watched()
    const silent = await open('text/csv')
    const slow = await open('text/csv')
    for (let second = 0; second < 120; second += 30) {
      const before = received(requests[1])
      slow.socket.write('x'.repeat(30_000))
      await until(() => received(requests[1]) >= before + 30_000, 'it has come')
      await pass(30_000)
    }
    expect([silent.closed(), slow.closed()]).toEqual([true, false])
  })

  it('has a minute for a body of JSON, however steadily it comes', async () => {
    const { open, pass, requests } = await watched()
    const steady = await open('application/json')
    for (let second = 0; second <= 60; second += 30) {
      expect(steady.closed()).toBe(false)
      const before = received(requests[0])
      steady.socket.write('x'.repeat(3_000))
      await until(() => received(requests[0]) >= before + 3_000, 'it has come')
      await pass(30_000)
    }
    expect(steady.closed()).toBe(true)
  })
})
