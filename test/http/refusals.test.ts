import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openApi } from './api.ts'
import { answersIn, sendRaw } from './raw-socket.ts'
import { serve } from './served.ts'

const HOST = 'host: 127.0.0.1'

/** What every error says, as far as it is the same for all. */
function problem(code: string, status: number) {
  return { code, status, type: `urn:sluice:error:${code}`, hint: expect.stringMatching(/\S/) }
}

describe('a connection on which no request can be read', () => {
  it.each([
    ['what is no HTTP', 'HELO there\r\n\r\n', 'request_invalid', 400],
    ['the beginning of TLS', Buffer.from('16030100a5010000a1', 'hex'), 'request_invalid', 400],
    [
      'two lengths',
      `POST /api/v1/check HTTP/1.1\r\n${HOST}\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}`,
      'request_invalid',
      400,
    ],
    [
      'a length beside chunks',
      `POST /api/v1/check HTTP/1.1\r\n${HOST}\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      'request_invalid',
      400,
    ],
    [
      'a chunk that is none',
      `POST /api/v1/check HTTP/1.1\r\n${HOST}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`,
      'request_invalid',
      400,
    ],
    ['an address that is too long', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n\r\n`, 'headers_too_large', 431],
    [
      'headers that are too long',
      `GET /livez HTTP/1.1\r\n${HOST}\r\nx-much: ${'a'.repeat(200_000)}\r\n\r\n`,
      'headers_too_large',
      431,
    ],
  ])('is told what is wrong, and closed: %s', async (_name, sent, code, status) => {
    const { port } = await serve()
    const [answer, ...more] = answersIn(await sendRaw(port, sent))
    expect(more).toStrictEqual([])
    expect(answer?.status).toBe(status)
    expect(answer?.headers.get('content-type')).toBe('application/problem+json')
    expect(answer?.headers.get('connection')).toBe('close')
    const body = JSON.parse(answer?.body ?? '')
    expect(body).toMatchObject(problem(code, status))
    expect(body.instance).toBe(`urn:uuid:${answer?.headers.get('x-request-id')}`)
  })
})

it('the answers to the requests before come first', async () => {
  const { port } = await serve()
  const two = `GET /livez HTTP/1.1\r\n${HOST}\r\n\r\nGET /readyz HTTP/1.1\r\n${HOST}\r\n\r\n`
  const heard = answersIn(await sendRaw(port, `${two}this is none\r\n\r\n`))
  expect(heard.map(({ status, body }) => [status, body.slice(0, 3)])).toStrictEqual([
    [200, 'ok\n'],
    [200, 'ok\n'],
    [400, '{"t'],
  ])
})

describe('a request', () => {
  it('needs a host in HTTP/1.1', async () => {
    const { port } = await serve()
    const heard = await sendRaw(port, 'GET /api/v1/jobs HTTP/1.1\r\nconnection: close\r\n\r\n')
    expect(answersIn(heard)).toMatchObject([{ status: 400 }])
    expect(JSON.parse(answersIn(heard)[0]?.body ?? '')).toMatchObject({
      ...problem('request_invalid', 400),
      detail: 'headers: host is missing',
    })
    const twice = `GET /livez HTTP/1.1\r\n${HOST}\r\nhost: other\r\nconnection: close\r\n\r\n`
    expect(answersIn(await sendRaw(port, twice))).toMatchObject([{ status: 400 }])
  })

  it('hears which methods its address takes, in the shape that its callers know', async () => {
    const { app, key } = await openApi()
    const headers = { authorization: `Bearer ${await key()}` }
    const ask = (method: 'GET' | 'DELETE' | 'OPTIONS' | 'PUT', url: string) => app.inject({ method, url, headers })
    const wrong = await ask('DELETE', '/api/v1/jobs/?limit=1')
    expect(wrong.statusCode).toBe(405)
    expect(wrong.headers.allow).toBe('GET, HEAD, POST')
    expect(wrong.json()).toMatchObject(problem('method_not_allowed', 405))
    expect((await ask('OPTIONS', '/api/v1/jobs/job_1')).headers.allow).toBe('GET, HEAD, PATCH')
    expect((await ask('GET', '/api/v1/jobs/job_1/start')).statusCode).toBe(405)
    expect((await ask('PUT', '/v1/files')).json()).toMatchObject({ error: { code: 'method_not_allowed' } })
    for (const [method, url] of [
      ['GET', '/v1/chat/completions'],
      ['PUT', '/v1/chat/completions'],
      ['DELETE', '/v1/uploads/up_1'],
    ] as const) {
      const elsewhere = await ask(method, url)
      expect([elsewhere.statusCode, elsewhere.headers.allow]).toStrictEqual([404, undefined])
      expect(elsewhere.json()).toMatchObject({ error: { message: expect.stringContaining('POST /v1/') } })
    }
    for (const url of ['/api/v1/jobs//start', '/api/v1/job', '/']) {
      const missing = await ask('GET', url)
      expect([missing.statusCode, missing.headers.allow]).toStrictEqual([404, undefined])
    }
  })

  it('is told what is wrong with its body', async () => {
    const { app, key } = await openApi()
    const authorization = `Bearer ${await key()}`
    const send = async (payload: string | Buffer, more = {}) => {
      const headers = { authorization, 'content-type': 'application/json', ...more }
      return (await app.inject({ method: 'POST', url: '/api/v1/check', headers, payload })).json()
    }
    for (const name of ['{"__proto__": {}}', '{"spec": {"a": [{"constructor": {"prototype": {}}}]}}']) {
      const refused = await send(name)
      expect(refused).toMatchObject(problem('request_invalid', 400))
      expect(refused.detail).toContain('"__proto__"')
    }
    expect(await send('{"spec": {,}}')).toMatchObject({ detail: 'the body is no JSON: see character 11' })
    expect(await send('secret')).toMatchObject({ ...problem('request_invalid', 400), detail: 'the body is no JSON' })
    const latin1 = await send(Buffer.from('{"spec": "café"}', 'latin1'))
    expect(latin1).toMatchObject({ detail: 'the body is no JSON: it is not UTF-8' })
    expect(await send('{}', { 'transfer-encoding': 'gzip, chunked' })).toMatchObject(problem('media_type', 415))
    expect(await send('{}', { 'content-encoding': 'gzip' })).toMatchObject(problem('media_type', 415))
  })

  it('that waits with its body for leave gets it, and no leave where it is refused', async () => {
    const { port, key } = await serve()
    const authorization = `authorization: Bearer ${await key()}`
    const head = (more: string) =>
      `POST /api/v1/check HTTP/1.1\r\n${HOST}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 2\r\nexpect: 100-continue\r\n${more}\r\n`
    const heard = await sendRaw(port, `${head(`${authorization}\r\n`)}{}`)
    expect(answersIn(heard).map(({ status }) => status)).toStrictEqual([100, 400])
    expect(answersIn(await sendRaw(port, head(''))).map(({ status }) => status)).toStrictEqual([401])
    const other = head(`${authorization}\r\n`).replace('100-continue', 'miracles')
    expect(answersIn(await sendRaw(port, `${other}{}`)).map(({ status }) => status)).toStrictEqual([400])
  })
})

it('a body that does not come is the fault of its sender, who is told so', async () => {
  const { port, key } = await serve('query: 100ms')
  const authorization = `authorization: Bearer ${await key()}`
  const json = 'content-type: application/json\r\ncontent-length: 20'
  const heard = await sendRaw(port, `POST /api/v1/check HTTP/1.1\r\n${HOST}\r\n${authorization}\r\n${json}\r\n\r\n{`)
  const [answer, ...more] = answersIn(heard)
  expect([answer?.status, answer?.headers.get('connection'), more]).toStrictEqual([408, 'close', []])
  expect(JSON.parse(answer?.body ?? '')).toMatchObject(problem('request_timeout', 408))
})

it('a request that comes while the server closes, on a connection that is open, is told so', async () => {
  const { app, port, key } = await serve()
  const authorization = `authorization: Bearer ${await key()}`
  const socket = connect(port, '127.0.0.1')
  const heard = text(socket)
  const json = 'content-type: application/json\r\ncontent-length: 2'
  const arrived = once(app.server, 'request')
  socket.write(`POST /api/v1/check HTTP/1.1\r\n${HOST}\r\n${authorization}\r\n${json}\r\n\r\n{`)
  await arrived
  const closed = app.close()
  while (app.server.listening) await new Promise((resolve) => setImmediate(resolve))
  socket.write(`}GET /api/v1/jobs HTTP/1.1\r\n${HOST}\r\n${authorization}\r\n\r\n`)
  const answers = answersIn(await heard)
  expect(answers.map(({ status }) => status)).toStrictEqual([400, 503])
  expect(JSON.parse(answers[1]?.body ?? '')).toMatchObject(problem('stopping', 503))
  await closed
})

it('no day is asked for that is not in the calendar', async () => {
  const { app, key } = await openApi()
  const headers = { authorization: `Bearer ${await key()}` }
  const costs = async (since: string) => (await app.inject({ url: `/api/v1/costs?since=${since}`, headers })).json()
  expect(await costs('2026-02-31')).toMatchObject(problem('request_invalid', 400))
  expect(await costs('2025-02-29')).toMatchObject(problem('request_invalid', 400))
  expect(await costs('2024-02-29')).toMatchObject({ since: '2024-02-29', lines: [] })
})
