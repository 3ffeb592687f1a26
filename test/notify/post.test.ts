import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createPost, type PostRequest } from '../../src/notify/post.ts'
import { PrivateAddress } from '../../src/notify/public-address.ts'
import { startReceiver } from './receiver.ts'

const here = async () => [{ address: '127.0.0.1', family: 4 }]
const request = (url: string, more: Partial<PostRequest> = {}): PostRequest => ({
  url,
  headers: { 'content-type': 'application/json' },
  body: '{"a":1}',
  signal: new AbortController().signal,
  ...more,
})

describe('a post', () => {
  it('brings headers and body there, and the status back', async () => {
    const receiver = await startReceiver(() => 202)
    const post = createPost({ allowPrivate: true })
    expect(await post(request(`${receiver.url}/hook?x=1`, { headers: { 'webhook-id': 'msg_1' } }))).toEqual({
      status: 202,
      retryAfter: null,
    })
    expect(receiver.received).toMatchObject([
      { path: '/hook?x=1', body: '{"a":1}', headers: { 'webhook-id': 'msg_1', host: `127.0.0.1:${receiver.port}` } },
    ])
  })

  it('goes to the address that was looked up, and asks for no name a second time', async () => {
    const receiver = await startReceiver(() => 204)
    let asked = 0
    const post = createPost({
      allowPrivate: true,
      async lookUp() {
        asked += 1
        return here()
      },
    })
    const url = `http://no-such-host.invalid:${receiver.port}/`
    expect(await post(request(url))).toEqual({ status: 204, retryAfter: null })
    expect(asked).toBe(1)
    expect(receiver.received[0]?.headers.host).toBe(`no-such-host.invalid:${receiver.port}`)
  })

  it.each(['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', '169.254.169.254'])(
    'goes nowhere near http://%s',
    async (host) => {
      const receiver = await startReceiver(() => 200)
      const post = createPost({ allowPrivate: false })
      await expect(post(request(`http://${host}:${receiver.port}/`))).rejects.toThrow(PrivateAddress)
      expect(receiver.received).toEqual([])
    },
  )

  it('goes nowhere near a name that leads to this machine', async () => {
    const receiver = await startReceiver(() => 200)
    const post = createPost({ allowPrivate: false, lookUp: here })
    await expect(post(request(`http://hooks.example:${receiver.port}/`))).rejects.toThrow(PrivateAddress)
    expect(receiver.received).toEqual([])
  })

  it('takes what the status says, however long, slow or broken the rest of the answer is', async () => {
    const head = 'HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n'
    const endless = (socket: Socket) => {
      const more = () => {
        while (socket.writable && socket.write('x'.repeat(65_536)));
      }
      socket.on('drain', more).on('error', () => undefined)
      socket.write(head)
      more()
    }
    const dripping = (socket: Socket) => void socket.write(`${head}x`)
    const cut = (socket: Socket) => void socket.write(`${head}x`, () => socket.destroy())
    const receiver = await startReceiver((n) => [endless, dripping, cut][n] ?? 500)
    const post = createPost({ allowPrivate: true })
    const answers = []
    for (let n = 0; n < 3; n += 1)
      answers.push((await post(request(receiver.url, { signal: AbortSignal.timeout(1_000) }))).status)
    expect(answers).toEqual([200, 200, 200])
  })

  it('fails where the connection ends before the answer has begun, or the answer is none', async () => {
    const closes = (socket: Socket) => void socket.destroy()
    const garbage = (socket: Socket) => void socket.end('SMTP ready\r\n')
    const heads = (socket: Socket) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1_000_000)}\r\n\r\n`)
    const receiver = await startReceiver((n) => [closes, garbage, heads][n] ?? 200)
    const post = createPost({ allowPrivate: true })
    for (let n = 0; n < 3; n += 1) await expect(post(request(receiver.url))).rejects.toThrow()
  })

  it('follows no redirect', async () => {
    const other = await startReceiver(() => 200)
    const receiver = await startReceiver(() => ({ status: 307, location: other.url }))
    expect((await createPost({ allowPrivate: true })(request(receiver.url))).status).toBe(307)
    expect(other.received).toEqual([])
  })

  it('brings back how long the receiver wants to be left alone', async () => {
    const receiver = await startReceiver(() => ({ status: 429, 'retry-after': '120' }))
    const answer = await createPost({ allowPrivate: true })(request(receiver.url))
    expect(answer).toEqual({ status: 429, retryAfter: '120' })
  })

  it('ends when it is told to, while it waits for an answer or for a name', async () => {
    const receiver = await startReceiver((_n) => {
      stop.abort(new Error('enough'))
      return null
    })
    const stop = new AbortController()
    const post = createPost({ allowPrivate: true })
    await expect(post(request(receiver.url, { signal: stop.signal }))).rejects.toThrow('enough')
    const never = createPost({ allowPrivate: true, lookUp: () => new Promise(() => undefined) })
    const second = new AbortController()
    const waiting = never(request('http://hooks.example/', { signal: second.signal }))
    second.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })

  it('fails where nobody listens', async () => {
    const receiver = await startReceiver(() => 200)
    await receiver.close()
    await expect(createPost({ allowPrivate: true })(request(receiver.url))).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
    await expect(createPost({ allowPrivate: true })(request('ftp://hooks.example/'))).rejects.toThrow('web')
  })
})
