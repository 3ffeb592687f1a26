import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createModels } from '../../src/provider/registry.ts'
import { createTransport, type Transport, type TransportOptions } from '../../src/provider/transport.ts'
import { textOf } from '../../src/provider/wire.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { targetOf } from './replay.ts'

type Handle = (request: IncomingMessage, response: ServerResponse, body: string) => void

let server: Server
let handle: Handle = () => undefined
let origin = ''
const opened: Transport[] = []

beforeEach(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => handle(request, response, Buffer.concat(chunks).toString()))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  await Promise.all(opened.splice(0).map((transport) => transport.close()))
  server.closeAllConnections()
  await new Promise((closed) => server.close(closed))
})

function open(options: TransportOptions = {}): Transport {
  const transport = createTransport(options)
  opened.push(transport)
  return transport
}

/** A request that is given up when the signal aborts, or was before. */
function send(transport: Transport, signal = new AbortController().signal, url = `${origin}/v1/chat?x=1`) {
  const onCancel = (listener: (reason: Error) => void) => {
    if (signal.aborted) listener(signal.reason as Error)
    signal.addEventListener('abort', () => listener(signal.reason as Error))
  }
  return transport.exchange({
    url,
    headers: { authorization: 'Bearer k', 'content-type': 'application/json' },
    body: '{"a":"ä"}',
    cancellation: { onCancel },
  })
}

describe('the transport', () => {
  it('posts what it is given and returns the whole reply', async () => {
    handle = (request, response, body) => {
      response.writeHead(201, { 'x-twice': ['a', 'b'], 'x-request-id': 'r1' })
      response.write('part one, ')
      response.end(
        JSON.stringify([
          request.method,
          request.url,
          request.headers.authorization,
          request.headers['accept-encoding'],
          body,
        ]),
      )
    }
    const reply = await send(open())
    expect(reply.status).toBe(201)
    expect(reply.headers).toMatchObject({ 'x-twice': 'a, b', 'x-request-id': 'r1' })
    expect(textOf(reply)).toBe('part one, ["POST","/v1/chat?x=1","Bearer k","identity","{\\"a\\":\\"ä\\"}"]')
  })

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ] as const)('unpacks %s that nobody asked for', async (encoding, pack) => {
    handle = (_request, response) => response.writeHead(200, { 'content-encoding': encoding }).end(pack('packed'))
    expect(textOf(await send(open()))).toBe('packed')
  })

  it('reads no more than it may, packed or not', async () => {
    const transport = open({ maxReplyBytes: 1000 })
    handle = (_request, response) => response.end('x'.repeat(1001))
    await expect(send(transport)).rejects.toMatchObject({ code: 'UND_ERR_RES_EXCEEDED_MAX_SIZE' })
    handle = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(100_000)))
    await expect(send(transport)).rejects.toMatchObject({ code: 'ERR_BUFFER_TOO_LARGE' })
  })

  it('follows no redirect', async () => {
    let requests = 0
    handle = (_request, response) => {
      requests += 1
      response.writeHead(307, { location: `${origin}/elsewhere` }).end()
    }
    expect((await send(open())).status).toBe(307)
    expect(requests).toBe(1)
  })

  it('keeps its sockets, and no more of them than it may', async () => {
    const sockets = new Set<unknown>()
    handle = (request, response) => {
      sockets.add(request.socket)
      setImmediate(() => response.end('ok'))
    }
    const transport = open({ connections: 2 })
    for (let round = 0; round < 3; round += 1) await Promise.all(Array.from({ length: 6 }, () => send(transport)))
    expect(sockets.size).toBe(2)
  })

  it('gives up at once when the signal says so: before, while waiting, and within a body', async () => {
    const transport = open()
    const aborted = AbortSignal.abort(new Error('too late'))
    await expect(send(transport, aborted)).rejects.toThrow('too late')

    const waiting = new AbortController()
    handle = () => waiting.abort(new Error('no longer'))
    await expect(send(transport, waiting.signal)).rejects.toThrow('no longer')

    const within = new AbortController()
    handle = (_request, response) => {
      response.write('half')
      setImmediate(() => within.abort(new Error('enough')))
    }
    await expect(send(transport, within.signal)).rejects.toThrow('enough')
  })

  it('passes on what the network threw', async () => {
    const transport = open()
    handle = (request) => request.socket.resetAndDestroy()
    await expect(send(transport)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/) })
    handle = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('short', () => response.destroy())
    }
    await expect(send(transport)).rejects.toThrow()
    await expect(send(transport, undefined, 'http://127.0.0.1:1/v1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('fails what is in flight when it closes', async () => {
    const transport = open()
    handle = () => void transport.close()
    await expect(send(transport)).rejects.toThrow()
    await expect(send(transport)).rejects.toThrow()
    await expect(send(transport, undefined, `${origin}/elsewhere`)).rejects.toThrow('the transport is closed')
  })
})

describe('a model over the transport', () => {
  const ask = (timeoutMs: number, signal = new AbortController().signal) => {
    const models = createModels({ env: () => 'key', runtime: systemRuntime(), transport: open() })
    const target = targetOf('openai-chat/m', { baseUrl: `${origin}/v1` })
    const request = { target, system: null, messages: [{ role: 'user' as const, text: 'x' }], schema: null }
    return models.open(target).complete(request, { timeoutMs, signal, attemptId: 'attempt-1' })
  }

  it('times out by its own clock', async () => {
    handle = () => undefined
    expect(await ask(30)).toMatchObject({ ok: false, failure: { cause: 'timeout', retryable: true }, limits: null })
  })

  it('is cancelled by its caller', async () => {
    const controller = new AbortController()
    handle = () => controller.abort()
    expect(await ask(10_000, controller.signal)).toMatchObject({ ok: false, failure: { cause: 'cancelled' } })
    expect(await ask(10_000, AbortSignal.abort())).toMatchObject({ ok: false, failure: { cause: 'cancelled' } })
  })

  it('tells a server on this machine which attempt it is', async () => {
    let attempt: unknown
    handle = (request, response) => {
      attempt = request.headers['x-sluice-attempt']
      response.end(JSON.stringify({ choices: [{ index: 0, message: { content: 'hi' }, finish_reason: 'stop' }] }))
    }
    expect(await ask(10_000)).toMatchObject({ ok: true, text: 'hi', usage: null })
    expect(attempt).toBe('attempt-1')
  })
})
