import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ask, csv, type Served, serve, until } from './served.ts'

interface Row {
  readonly _row_index: number
  readonly _status: string
  readonly _cursor: string
}

const streamOf = ({ url }: Served, id: string, query = '') => `${url}/api/v1/jobs/${id}/results/stream${query}`

/** Whole lines of an answer; one that was cut off does not count. */
function rowsOf(text: string): Row[] {
  const lines = text.split('\n')
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Row)
}

/** Reads a stream and breaks it off after `bytes` bytes; says whether it had ended before. */
async function take(url: string, bytes: number): Promise<{ readonly text: string; readonly ended: boolean }> {
  const left = new AbortController()
  const answer = await fetch(url, { signal: left.signal })
  expect(answer.status).toBe(200)
  const blocks: Buffer[] = []
  let length = 0
  for await (const block of answer.body as unknown as AsyncIterable<Uint8Array>) {
    blocks.push(Buffer.from(block))
    length += block.length
    if (length >= bytes) break
  }
  const ended = length < bytes
  left.abort()
  return { text: Buffer.concat(blocks).subarray(0, bytes).toString(), ended }
}

/** Reads a stream to its end with connections that break after the given numbers of bytes. */
async function inPieces(served: Served, id: string, cuts: Iterable<number>, query = ''): Promise<Row[]> {
  const rows: Row[] = []
  for (const bytes of cuts) {
    const after = rows.at(-1)?._cursor
    const url = streamOf(served, id, after === undefined ? `?${query}` : `?${query}&after=${after}`)
    const { text, ended } = await take(url, bytes)
    rows.push(...rowsOf(text))
    if (ended) return rows
  }
  return rows
}

const indexes = (rows: readonly Row[]) => rows.map((row) => row._row_index).toSorted((a, b) => a - b)
const all = (rows: number) => Array.from({ length: rows }, (_, index) => index)

describe('stream of results', () => {
  it('gives every row exactly once, wherever connections break', async () => {
    const served = await serve()
    const id = await served.finished(300, { spec: { execution: { chunk_rows: 37 } } })
    const whole = await fetch(streamOf(served, id))
    expect(whole.headers.get('content-type')).toBe('application/x-ndjson')
    const text = await whole.text()
    expect(indexes(rowsOf(text))).toStrictEqual(all(300))
    const cut = fc.integer({ min: 1, max: Math.ceil(text.length / 3) })
    await fc.assert(
      fc.asyncProperty(fc.array(cut, { maxLength: 8 }), async (cuts) => {
        const rows = await inPieces(served, id, [...cuts, Number.POSITIVE_INFINITY])
        expect(indexes(rows)).toStrictEqual(all(300))
      }),
      { numRuns: 10 },
    )
  })

  it('gives rows as chunks finish, to its end, and none twice to one who comes and goes', async () => {
    const served = await serve()
    const id = await served.create({ spec: { execution: { chunk_rows: 20, concurrency: { max: 8 } } } })
    const streamed = inPieces(served, id, [3_000, 9_000, 14_000, Number.POSITIVE_INFINITY])
    const steady = fetch(streamOf(served, id)).then((answer) => answer.text())
    await fetch(`${served.url}/api/v1/jobs/${id}/input`, { method: 'PUT', body: csv(200) })
    await served.work(id)
    expect(indexes(await streamed)).toStrictEqual(all(200))
    expect(indexes(rowsOf(await steady))).toStrictEqual(all(200))
  })

  it('leaves out what is not asked for', async () => {
    const served = await serve()
    const id = await served.finished(20)
    const plain = await (await fetch(streamOf(served, id, '?cursors=0&only=ok'))).text()
    expect(rowsOf(plain)).toHaveLength(20)
    expect(rowsOf(plain).every((row) => row._status === 'ok' && row._cursor === undefined)).toBe(true)
    expect(await (await fetch(streamOf(served, id, '?only=failed'))).text()).toBe('')
    const fresh = await served.create()
    expect(await (await fetch(streamOf(served, fresh, '?follow=0'))).text()).toBe('')
  })

  it('refuses cursors that are none, and streams past the cap of the tenant', async () => {
    const served = await serve('streams_per_tenant: 2')
    const id = await served.create()
    expect((await fetch(streamOf(served, id, '?after=soon'))).status).toBe(400)
    expect((await fetch(streamOf(served, `${id}0`))).status).toBe(404)
    const leave = new AbortController()
    const open = () => fetch(streamOf(served, id), { signal: leave.signal })
    const held = await Promise.all([open(), open()])
    expect(held.map(({ status }) => status)).toStrictEqual([200, 200])
    const third = await fetch(streamOf(served, id))
    expect([third.status, third.headers.get('retry-after')]).toStrictEqual([429, '5'])
    expect(((await third.json()) as { code: string }).code).toBe('rate_limited')
    leave.abort()
    // Who has left holds none any more.
    await until(async () => {
      const again = new AbortController()
      const { status } = await fetch(streamOf(served, id), { signal: again.signal })
      again.abort()
      return status === 200
    })
  })

  it('ends in order when the server stops, and is continued with the next', async () => {
    const served = await serve()
    const id = await served.create()
    const waiting = fetch(streamOf(served, id))
    const events = fetch(`${served.url}/api/v1/jobs/${id}/events`)
    const upload = ask(`${served.url}/api/v1/jobs/${id}/input`, { method: 'PUT' }, (to) => to.write('id,text\n'))
    expect((await waiting).status).toBe(200)
    expect((await events).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 200))
    served.stop()
    expect(await (await waiting).text()).toBe('')
    expect(await (await events).text()).toBe('retry: 2000\n\n')
    const { status, headers, body } = await upload
    expect([status, headers['upload-offset'], JSON.parse(body).code]).toStrictEqual([503, '8', 'stopping'])
  })

  it('holds little for a reader that takes nothing', async () => {
    const served = await serve()
    const long = 'x'.repeat(4_000)
    const id = await served.create({ spec: { execution: { chunk_rows: 200 } } })
    const rows = Array.from({ length: 3_000 }, (_, index) => `${index},${long}`)
    await fetch(`${served.url}/api/v1/jobs/${id}/input`, { method: 'PUT', body: `id,text\n${rows.join('\n')}\n` })
    await served.work(id)
    const held: Socket[] = []
    served.app.server.on('connection', (socket: Socket) => held.push(socket))
    const readers = Array.from({ length: 10 }, () => {
      const socket = connect(served.port, '127.0.0.1')
      socket.write(`GET /api/v1/jobs/${id}/results/stream HTTP/1.1\r\nhost: x\r\n\r\n`)
      return socket
    })
    await Promise.all(readers.map((socket) => new Promise((resolve) => socket.once('readable', resolve))))
    // Until the system takes no more from us: what comes on top of that would lie in our own memory.
    const sent = () => held.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
    let before = -1
    await until(async () => {
      const isStill = sent() === before
      before = sent()
      await new Promise((resolve) => setTimeout(resolve, 300))
      return isStill
    })
    expect(before).toBeGreaterThan(0)
    for (const { writableLength } of held) expect(writableLength).toBeLessThan(300_000)
    for (const socket of readers) socket.destroy()
    const whole = await (await fetch(streamOf(served, id))).text()
    expect(indexes(rowsOf(whole))).toStrictEqual(all(3_000))
  })
})
