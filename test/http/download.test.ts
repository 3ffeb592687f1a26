import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { csv, type Served, serve } from './served.ts'

const fileOf = ({ url }: Served, id: string, query = '') => `${url}/api/v1/jobs/${id}/results/download${query}`

async function rowsOfParquet(bytes: ArrayBuffer): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-download-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'a.parquet')
  writeFileSync(path, Buffer.from(bytes))
  const database = await DuckDBInstance.create()
  const connection = await database.connect()
  const answer = await connection.runAndReadAll(`select count(*)::int from '${path}' where _status = 'ok'`)
  return answer.getRows()[0]?.[0] as number
}

describe('download of results', () => {
  it('gives the whole table in input order, and any part of it, and says when nothing is new', async () => {
    const served = await serve()
    const id = await served.finished(60, { spec: { execution: { chunk_rows: 7 } } })
    const answer = await fetch(fileOf(served, id))
    const whole = Buffer.from(await answer.arrayBuffer())
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8')
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="rows-${id}.csv"`)
    expect(answer.headers.get('content-length')).toBe(String(whole.length))
    const lines = whole.toString().trimEnd().split('\n')
    expect(lines.slice(1).map((line) => line.split(',', 1)[0])).toStrictEqual(
      Array.from({ length: 60 }, (_, n) => `r${n}`),
    )
    const etag = answer.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]{36}"$/)

    const place = fc.integer({ min: 0, max: whole.length + 5 })
    await fc.assert(
      fc.asyncProperty(place, place, async (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)]
        const part = await fetch(fileOf(served, id), { headers: { range: `bytes=${from}-${to}` } })
        if (from >= whole.length) {
          expect([part.status, part.headers.get('content-range')]).toStrictEqual([416, `bytes */${whole.length}`])
          return
        }
        const last = Math.min(to, whole.length - 1)
        expect(part.status).toBe(206)
        expect(part.headers.get('content-range')).toBe(`bytes ${from}-${last}/${whole.length}`)
        expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(from, last + 1))).toBe(true)
      }),
      { numRuns: 12 },
    )
    const ask = async (headers: Record<string, string>, method = 'GET') => {
      const { status, headers: heard, arrayBuffer } = await fetch(fileOf(served, id), { headers, method })
      return { status, heard, arrayBuffer }
    }
    expect((await ask({ range: 'bytes=-10' })).heard.get('content-length')).toBe('10')
    expect((await ask({ 'if-none-match': etag })).status).toBe(304)
    expect((await ask({ range: 'bytes=0-4', 'if-range': etag })).status).toBe(206)
    expect((await ask({ range: 'bytes=0-4', 'if-range': '"another"' })).status).toBe(200)
    expect((await ask({ range: 'bytes=0-1,3-4' })).status).toBe(200)
    const head = await ask({}, 'HEAD')
    expect([head.status, head.heard.get('content-length'), head.heard.get('etag')]).toStrictEqual([
      200,
      String(whole.length),
      etag,
    ])
  })

  it('gives each format and selection, made once for all who ask at the same time', async () => {
    const served = await serve()
    const id = await served.finished(30)
    const tags = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const answer = await fetch(fileOf(served, id, '?format=parquet'))
        expect(answer.headers.get('content-type')).toBe('application/vnd.apache.parquet')
        expect(await rowsOfParquet(await answer.arrayBuffer())).toBe(30)
        return answer.headers.get('etag')
      }),
    )
    expect(new Set(tags).size).toBe(1)
    const lines = (await (await fetch(fileOf(served, id, '?format=jsonl&include_input=0'))).text())
      .trimEnd()
      .split('\n')
    expect(lines).toHaveLength(30)
    expect(Object.keys(JSON.parse(lines[0] ?? '') as object)).not.toContain('text')
    expect((await (await fetch(fileOf(served, id, '?only=failed'))).text()).trimEnd().split('\n')).toHaveLength(1)
    expect((await fetch(fileOf(served, id, '?format=xlsx'))).status).toBe(400)
  })

  it('gives a job that is not over as it stands, without ranges', async () => {
    const served = await serve()
    const id = await served.create()
    expect((await fetch(fileOf(served, id))).status).toBe(409)
    expect((await fetch(fileOf(served, `${id}0`))).status).toBe(404)
    await fetch(`${served.url}/api/v1/jobs/${id}/input`, { method: 'PUT', body: csv(500) })
    const stop = new AbortController()
    const never = new AbortController().signal
    const working = served.service.engine(1).work(id, {
      signal: stop.signal,
      abandon: never,
      onStatus: ({ job }) => {
        if (job.state === 'running') stop.abort()
      },
    })
    await working
    for (const format of ['csv', 'jsonl', 'parquet']) {
      const answer = await fetch(fileOf(served, id, `?format=${format}`), { headers: { range: 'bytes=0-4' } })
      const bytes = await answer.arrayBuffer()
      expect([answer.status, answer.headers.get('accept-ranges'), answer.headers.get('etag')]).toStrictEqual([
        200,
        'none',
        null,
      ])
      if (format === 'jsonl') expect(Buffer.from(bytes).toString().trimEnd().split('\n')).toHaveLength(500)
      if (format === 'parquet') expect(await rowsOfParquet(bytes)).toBeLessThanOrEqual(500)
    }
  })
})
