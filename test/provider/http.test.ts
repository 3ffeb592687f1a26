import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { givingUpInSilence, type Http, type HttpReply, httpOver } from '../../src/provider/http.ts'
import { classifyNetwork, wasNotHeard } from '../../src/provider/network.ts'
import { createTransport, type Transport } from '../../src/provider/transport.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

let handle: (request: IncomingMessage, response: ServerResponse) => void
const server = createServer((request, response) => handle(request, response))
let origin = ''
let transport: Transport

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  transport = createTransport()
})
afterEach(() => server.closeAllConnections())
afterAll(async () => {
  await transport.close()
  server.close()
})

const NEVER = new AbortController().signal
const get = (http: Http, signal = NEVER) =>
  http({ method: 'GET', url: `${origin}/file`, headers: {}, body: null, signal })

async function bytesOf({ body }: Pick<HttpReply, 'body'>): Promise<number> {
  let bytes = 0
  for await (const block of body) bytes += block.length
  return bytes
}

async function textOf(reply: Pick<HttpReply, 'body'>): Promise<string> {
  const blocks: Buffer[] = []
  for await (const block of reply.body) blocks.push(block)
  return Buffer.concat(blocks).toString()
}

describe('HTTP for files', () => {
  it('sends a body as it is made, and says how long it will be', async () => {
    const heads: unknown[] = []
    let received = 0
    handle = (request, response) => {
      heads.push([request.method, request.headers['content-length'], request.headers['transfer-encoding']])
      request.on('data', (block: Buffer) => {
        received += block.length
      })
      request.on('end', () => response.end('taken'))
    }
    const block = Buffer.alloc(64 * 1024, 'x')
    const blocks = async function* () {
      for (let sent = 0; sent < 800; sent += 1) yield block
    }
    const bytes = 800 * block.length
    const body = { bytes, blocks }
    const reply = await transport.http({ method: 'POST', url: `${origin}/files`, headers: {}, body, signal: NEVER })
    expect([reply.status, await textOf(reply)]).toEqual([200, 'taken'])
    expect(received).toBe(bytes)
    expect(heads).toEqual([['POST', String(bytes), undefined]])
  })

  it('reads a reply of any length as fast as it is wanted, and lets go when it is not', async () => {
    let written = 0
    handle = (_request, response) => {
      const block = Buffer.alloc(1024 * 1024, 'y')
      const pour = () => {
        while (written < 200 && !response.destroyed) {
          written += 1
          if (!response.write(block)) return void response.once('drain', pour)
        }
        response.end()
      }
      pour()
    }
    const reply = await get(transport.http)
    for await (const _ of reply.body) break
    expect(written).toBeLessThan(200)
    written = 0
    expect(await bytesOf(await get(transport.http))).toBe(200 * 1024 * 1024)
  })

  it('unpacks what comes packed although it was not asked for', async () => {
    handle = (request, response) => {
      expect(request.headers['accept-encoding']).toBe('identity')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('{"a":1}\n'.repeat(1000)))
    }
    expect(await textOf(await get(transport.http))).toBe('{"a":1}\n'.repeat(1000))
    handle = (_request, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip')
    await expect(get(transport.http).then(textOf)).rejects.toMatchObject({ code: 'Z_DATA_ERROR' })
  })

  it('throws where the reply is cut short, and where nobody listens', async () => {
    handle = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"a":1}\n', () => response.destroy())
    }
    const error = await get(transport.http)
      .then(textOf)
      .catch((thrown: unknown) => thrown)
    expect([classifyNetwork(error, null).cause, wasNotHeard(error)]).toEqual(['connection', false])
    const request = { method: 'GET', url: 'http://127.0.0.1:1/', headers: {}, body: null, signal: NEVER } as const
    const refused = await transport.http(request).catch((thrown: unknown) => thrown)
    expect([classifyNetwork(refused, null).cause, wasNotHeard(refused)]).toEqual(['connection', true])
  })

  it('throws what the source of a body throws', async () => {
    handle = (request) => void request.resume()
    const blocks = async function* () {
      yield Buffer.from('half')
      throw new Error('the disk is gone')
    }
    const request = { method: 'POST', url: origin, headers: {}, body: { bytes: 100, blocks }, signal: NEVER } as const
    await expect(transport.http(request)).rejects.toThrow('the disk is gone')
  })

  it('gives up with the reason of its signal', async () => {
    const leaving = new AbortController()
    handle = () => leaving.abort(new Error('no longer'))
    await expect(get(givingUpInSilence(transport.http, manualRuntime(), 1000), leaving.signal)).rejects.toThrow(
      'no longer',
    )
    await expect(
      get(givingUpInSilence(transport.http, manualRuntime(), 1000), AbortSignal.abort(new Error('before'))),
    ).rejects.toThrow('before')
  })
})

describe('silence', () => {
  it('of an answer that does not begin is given up', async () => {
    const runtime = manualRuntime()
    let arrived: () => void
    const heard = new Promise<void>((resolve) => {
      arrived = resolve
    })
    handle = () => arrived()
    const asking = get(givingUpInSilence(transport.http, runtime, 1000)).catch((thrown: unknown) => thrown)
    await heard
    await runtime.pass(1000)
    expect(classifyNetwork(await asking, null)).toMatchObject({ cause: 'timeout', providerCode: 'SILENCE' })
  })

  it('counts from the last sign of life, in both directions', async () => {
    const runtime = manualRuntime()
    const slow: Http = async ({ body }) => {
      if (body !== null && typeof body !== 'string') for await (const _ of body.blocks()) await runtime.pass(900)
      const blocks = async function* () {
        for (let block = 0; block < 3; block += 1) {
          await runtime.pass(900)
          yield Buffer.from('x')
        }
      }
      return { status: 200, headers: {}, body: blocks() }
    }
    const blocks = async function* () {
      for (let block = 0; block < 3; block += 1) yield Buffer.from('x')
    }
    const request = { method: 'POST', url: origin, headers: {}, body: { bytes: 3, blocks }, signal: NEVER } as const
    expect(await textOf(await givingUpInSilence(slow, runtime, 1000)(request))).toBe('xxx')
  })

  it('within a reply ends it, and leaves no timer behind once it is read', async () => {
    const runtime = manualRuntime()
    handle = (_request, response) => void response.write('half')
    const reply = await get(givingUpInSilence(transport.http, runtime, 1000))
    const reading = textOf(reply).catch((thrown: unknown) => thrown)
    await new Promise((resolve) => setImmediate(resolve))
    await runtime.pass(1000)
    expect(classifyNetwork(await reading, null).cause).toBe('timeout')

    handle = (_request, response) => void response.end('whole')
    const timers = new Set<unknown>()
    const counting = {
      after: () => {
        const timer = {}
        timers.add(timer)
        return () => void timers.delete(timer)
      },
    }
    expect(await textOf(await get(givingUpInSilence(transport.http, counting, 1000)))).toBe('whole')
    expect(timers.size).toBe(0)
  })
})

it('a fetch in this process is spoken to in the same way', async () => {
  const seen: unknown[] = []
  const http = httpOver(async (url, { method, headers, body }) => {
    seen.push([url, method, headers, await new Response(body as ConstructorParameters<typeof Response>[0]).text()])
    return new Response('line 1\nline 2\n', { status: 201, headers: { 'X-Request-Id': 'r' } })
  })
  const blocks = async function* () {
    yield Buffer.from('Stra')
    yield Buffer.from([0xc3])
    yield Buffer.from([0x9f])
  }
  const reply = await http({
    method: 'POST',
    url: 'http://simulator.invalid/v1/files',
    headers: { a: 'b' },
    body: { bytes: 6, blocks },
    signal: NEVER,
  })
  expect([reply.status, reply.headers['x-request-id'], await textOf(reply)]).toEqual([201, 'r', 'line 1\nline 2\n'])
  await http({ method: 'GET', url: 'http://simulator.invalid/v1/batches', headers: {}, body: null, signal: NEVER })
  expect(seen).toEqual([
    ['http://simulator.invalid/v1/files', 'POST', { a: 'b' }, 'Straß'],
    ['http://simulator.invalid/v1/batches', 'GET', {}, ''],
  ])
})
