import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { bearer } from './api.ts'
import { ask, csv, type Served, serve, until } from './served.ts'

const inputOf = ({ url }: Served, id: string) => `${url}/api/v1/jobs/${id}/input`

async function put(served: Served, id: string, body: string | Buffer, headers: Record<string, string> = {}) {
  const answer = await fetch(inputOf(served, id), { method: 'PUT', body: Buffer.from(body), headers })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
}

async function offsetOf(served: Served, id: string): Promise<number> {
  const { headers } = await fetch(inputOf(served, id), { method: 'HEAD' })
  return Number(headers.get('upload-offset'))
}

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest()
const digest = (data: string | Uint8Array) => `sha-256=:${sha256(data).toString('base64')}:`

describe('upload of an input', () => {
  it('takes a file at once, and a job runs with it', async () => {
    const served = await serve()
    const id = await served.create()
    const text = csv(30)
    expect(await offsetOf(served, id)).toBe(0)
    const { status, headers, body } = await put(served, id, text, { 'repr-digest': digest(text) })
    expect(status).toBe(201)
    expect(headers.get('upload-offset')).toBe(String(text.length))
    expect(headers.get('repr-digest')).toBe(digest(text))
    expect(body).toMatchObject({ job_id: id, name: 'rows.csv', state: 'ready', bytes: text.length })
    expect(body.sha256).toBe(sha256(text).toString('hex'))
    await served.work(id)
    const { job, counters } = await served.service.engine(1).status(id)
    expect([job.state, counters.succeeded]).toStrictEqual(['completed', 30])
    expect(job.inputHash).toBe(body.sha256)
    const [entry] = await served.service.audit.list(1, { limit: 1 })
    expect(entry).toMatchObject({ action: 'job.input', subject: id, actor: 'local' })
  })

  it('takes the same file again as the same, and no other one', async () => {
    const served = await serve()
    const id = await served.create()
    expect((await put(served, id, csv(3))).status).toBe(201)
    expect((await put(served, id, csv(3))).status).toBe(200)
    expect((await put(served, id, csv(3), { 'repr-digest': digest(csv(3)) })).status).toBe(200)
    expect((await put(served, id, csv(4))).body).toMatchObject({ status: 409, code: 'file_state' })
    await served.work(id)
    expect((await put(served, id, csv(3))).body).toMatchObject({ status: 409, code: 'job_state' })
  })

  it('keeps what came of a body whose connection broke, and goes on there', async () => {
    const served = await serve()
    const id = await served.create()
    const bytes = Buffer.from(csv(20_000))
    const broken = ask(
      inputOf(served, id),
      { method: 'PUT', headers: { 'content-length': String(bytes.length) } },
      (to) => {
        to.write(bytes.subarray(0, 300_000), () => to.destroy())
      },
    )
    await expect(broken).rejects.toThrow()
    await until(async () => (await offsetOf(served, id)) > 0)
    const offset = await offsetOf(served, id)
    expect(offset).toBeLessThanOrEqual(300_000)
    const range = `bytes ${offset}-${bytes.length - 1}/${bytes.length}`
    const { status, body } = await put(served, id, bytes.subarray(offset), { 'content-range': range })
    expect(status).toBe(201)
    expect(body.sha256).toBe(sha256(bytes).toString('hex'))
  })

  it('begins anew where the whole is sent again after a part', async () => {
    const served = await serve()
    const id = await served.create()
    expect((await put(served, id, 'id,text\nx,from another', { 'content-range': 'bytes 0-21/100' })).status).toBe(202)
    const { status, body } = await put(served, id, csv(5))
    expect([status, body.sha256]).toStrictEqual([201, sha256(csv(5)).toString('hex')])
  })

  it('makes the same file of parts, however it is cut, and of a total told only at the end', async () => {
    const served = await serve()
    const text = Buffer.from(csv(200))
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: text.length - 1 }), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, fc.boolean(), async (places, isTold) => {
        const id = await served.create()
        const ends = [...places.toSorted((a, b) => a - b), text.length]
        let from = 0
        let last = 0
        for (const to of ends) {
          const total = isTold ? text.length : '*'
          const part = text.subarray(from, to)
          const headers = { 'content-range': `bytes ${from}-${to - 1}/${total}`, 'content-digest': digest(part) }
          last = (await put(served, id, part, headers)).status
          from = to
          expect(await offsetOf(served, id)).toBe(to)
        }
        if (!isTold) {
          expect(last).toBe(202)
          last = (await put(served, id, '', { 'content-range': `bytes */${text.length}` })).status
        }
        expect(last).toBe(201)
        const answer = await fetch(inputOf(served, id))
        expect(((await answer.json()) as { sha256: string }).sha256).toBe(sha256(text).toString('hex'))
      }),
      { numRuns: 8 },
    )
  })

  it('refuses ranges that cannot be, or do not go on where the file ends', async () => {
    const served = await serve()
    const id = await served.create()
    const cases = [
      ['bytes 5-9/100', 'hello', 409, 'file_state'],
      ['bytes 9-5/100', 'hello', 416, 'range_unfit'],
      ['bytes 0-4/3', 'hello', 416, 'range_unfit'],
      ['bytes 0-9/100', 'hello', 416, 'range_unfit'],
      ['rows 0-4/100', 'hello', 416, 'range_unfit'],
    ] as const
    for (const [range, body, status, code] of cases) {
      const answer = await put(served, id, body, { 'content-range': range })
      expect(answer.body).toMatchObject({ status, code })
      expect(answer.headers.get('upload-offset')).toBe('0')
    }
    await put(served, id, 'id,text\n', { 'content-range': 'bytes 0-7/*' })
    const { status, headers } = await put(served, id, 'id,text\n', { 'content-range': 'bytes 0-7/*' })
    expect([status, headers.get('upload-offset'), headers.get('range')]).toStrictEqual([409, '8', 'bytes=0-7'])
  })

  it('refuses what is not what was announced, and takes it when it is sent again', async () => {
    const served = await serve()
    const id = await served.create()
    const wrong = await put(served, id, csv(4), { 'repr-digest': digest(csv(5)) })
    expect(wrong.body).toMatchObject({ status: 422, code: 'file_mismatch' })
    expect(await (await fetch(inputOf(served, id))).json()).toMatchObject({ state: 'refused' })
    const part = await put(served, id, 'id,text\n', {
      'content-range': 'bytes 0-7/20',
      'content-digest': digest('other'),
    })
    expect(part.body).toMatchObject({ status: 422, code: 'file_mismatch' })
    expect((await put(served, id, csv(5), { 'content-digest': digest(csv(5)) })).status).toBe(201)
    expect((await put(served, id, 'x', { 'repr-digest': 'sha-256=:nonsense:' })).status).toBe(400)
  })

  it('refuses files that are not what their name says, cannot be read, or do not fit the spec', async () => {
    const served = await serve()
    const cases = [
      ['rows.csv', Buffer.from('PAR1....'), 'Parquet'],
      ['rows.csv.gz', Buffer.from(csv(2)), 'gzip'],
      ['rows.csv', Buffer.from('id,text\n\0\0\0,\0\0\n'), 'zero byte'],
      ['rows.csv', Buffer.alloc(0), 'empty'],
      ['rows.csv', Buffer.from('id,texts\n1,2\n'), 'text'],
      ['rows.parquet', Buffer.from(csv(2)), 'rows.parquet'],
      ['rows.jsonl', Buffer.from(csv(3)), 'rows.jsonl'],
      ['rows.csv.gz', gzipSync(randomBytes(9_000)).subarray(0, 4_000), 'rows.csv.gz'],
    ] as const
    for (const [source, bytes, what] of cases) {
      const id = await served.create({ source })
      const { body } = await put(served, id, bytes)
      expect(body).toMatchObject({ status: 422, code: 'input_invalid' })
      expect(`${body.detail} ${JSON.stringify(body.errors)}`).toContain(what)
      await expect(served.service.jobs(1).begin(id, {})).rejects.toMatchObject({ code: 'job_state' })
    }
  })

  it('names the columns of columns_hint that are not there, and takes gzip as it is', async () => {
    const served = await serve()
    const id = await served.create({ columnsHint: ['id', 'text', 'tenant'], source: 'rows.csv.gz' })
    const { status, body } = await put(served, id, gzipSync(csv(4)))
    expect(status).toBe(422)
    expect(body.errors).toMatchObject([{ severity: 'error', message: expect.stringContaining('"tenant"') }])
    const fits = `id,text,tenant\n1,a,b\n`
    expect((await put(served, id, gzipSync(fits), { 'content-type': 'application/json' })).status).toBe(201)
  })

  it('takes Parquet', async () => {
    const served = await serve()
    const folder = mkdtempSync(join(tmpdir(), 'sluice-parquet-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'rows.parquet')
    const database = await DuckDBInstance.create()
    const connection = await database.connect()
    await connection.run(`copy (select i as id, 'text ' || i as text from range(300) t(i)) to '${path}'`)
    const id = await served.create({ source: 'rows.parquet' })
    expect((await put(served, id, readFileSync(path))).status).toBe(201)
    await served.work(id)
    const { job, counters } = await served.service.engine(1).status(id)
    expect([job.state, job.input?.format, counters.succeeded]).toStrictEqual(['completed', 'parquet', 300])
  })

  it('takes no more than the server allows, announced or not', async () => {
    const served = await serve('upload: 2kB')
    const id = await served.create()
    expect((await put(served, id, csv(200))).body).toMatchObject({ status: 413, code: 'file_too_large' })
    expect((await put(served, id, 'x', { 'content-range': 'bytes 0-0/5000' })).status).toBe(413)
    const chunked = await ask(inputOf(served, id), { method: 'PUT' }, (to) => to.end(csv(200)))
    expect([chunked.status, JSON.parse(chunked.body).code]).toStrictEqual([413, 'file_too_large'])
    expect((await put(served, id, csv(10))).status).toBe(201)
  })

  it('takes no file that unpacks to more than the server allows, and reads none whose rows come to more', async () => {
    const served = await serve('unpacked: 100kB')
    const packed = await served.create({ source: 'rows.csv.gz' })
    const line = `x,${'again '.repeat(100)}\n`
    expect((await put(served, packed, gzipSync(`id,text\n${line.repeat(1_000)}`))).body).toMatchObject({
      ...{ status: 413, code: 'file_too_large' },
      detail: 'rows.csv.gz comes, unpacked, to more than 100000 bytes',
    })
    expect((await put(served, packed, gzipSync(`id,text\n${line}`))).status).toBe(201)
    // What its beginning does not show, and what is not packed, is seen when it is read.
    const plain = await served.create()
    expect((await put(served, plain, `id,text\n${line.repeat(1_000)}`)).status).toBe(201)
    await expect(served.work(plain)).rejects.toMatchObject({ code: 'file_too_large' })
    const { job } = await served.service.engine(1).status(plain)
    expect(job).toMatchObject({ state: 'failed', reason: 'intake' })
    expect(job.detail).toContain('the rows of the input come to more than 100000 bytes')
  })

  it('says of an input that was read, and is not kept, that it was', async () => {
    const served = await serve()
    const [waits, read] = [await served.create(), await served.finished(3)]
    await put(served, waits, csv(3))
    // As the janitor does with inputs that were read.
    await served.service.files(1).remove(`file_${read.slice(4)}`)
    expect(await offsetOf(served, waits)).toBe(csv(3).length)
    const gone = await ask(inputOf(served, read), {})
    expect([gone.status, JSON.parse(gone.body).code]).toStrictEqual([409, 'job_state'])
    expect((await put(served, read, csv(3))).body).toMatchObject({ status: 409, code: 'job_state' })
  })

  it('refuses a body that is packed on the way, and jobs of others', async () => {
    const served = await serve()
    const id = await served.create()
    expect((await put(served, id, gzipSync(csv(2)), { 'content-encoding': 'gzip' })).status).toBe(415)
    const other = bearer(await served.key(['submit'], await served.tenant('other')))
    expect((await put(served, id, csv(2), other)).body).toMatchObject({ status: 404, code: 'job_not_found' })
    expect((await put(served, id, csv(2), bearer(await served.key(['read'])))).status).toBe(403)
  })

  it('lets the one who comes later go on, and never mixes two senders', async () => {
    const served = await serve()
    const id = await served.create()
    const arriving = once(served.app.server, 'request') as Promise<[IncomingMessage]>
    const hanging = ask(inputOf(served, id), { method: 'PUT', headers: { 'content-length': '1000000' } }, (to) => {
      to.write('id,text\nold,old\n')
    })
    const ended = hanging.then(
      ({ status }) => status,
      () => 0,
    )
    const [arrived] = await arriving
    // Its body is read: it is being received.
    await until(async () => arrived.listenerCount('readable') > 0)
    const { status, body } = await put(served, id, csv(3))
    expect([status, body.sha256]).toStrictEqual([201, sha256(csv(3)).toString('hex')])
    expect(await ended).toBe(409)
  })
})
