import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { BatchOptions } from '../../src/simulator/batch/options.ts'
import type { BatchReport } from '../../src/simulator/batch/report.ts'
import type { RequestLogLine } from '../../src/simulator/request-log.ts'
import { type SimulatorServer, startSimulatorServer } from '../../src/simulator/server.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { after } from './asking.ts'
import { chatLine, linesOf, texts } from './batching.ts'

let folder: string
const open: SimulatorServer[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-batch-server-'))
  vi.stubEnv('TMPDIR', folder)
})
afterEach(async () => {
  for (const server of open.splice(0)) await server.close()
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

const log = () => join(folder, 'requests.ndjson')
const spools = () => readdirSync(folder).filter((name) => name.startsWith('sluice-simulator-'))

async function serve(batches: Partial<BatchOptions> = {}): Promise<string> {
  const simulator = createSimulator({ nowMs: () => Date.now(), after, batches })
  const server = await startSimulatorServer(simulator, { after, port: 0, requestLog: log() })
  open.push(server)
  return `${server.url}/proxy`
}

// biome-ignore lint/suspicious/noExplicitAny: whatever a provider says
async function json(url: string, init?: RequestInit): Promise<any> {
  return (await fetch(url, init)).json()
}

async function upload(url: string, count: number): Promise<string> {
  const form = new FormData()
  form.set(
    'file',
    new File(
      texts(count).map((one) => `${JSON.stringify(chatLine(one))}\n`),
      'shard.jsonl',
    ),
  )
  form.set('purpose', 'batch')
  return (await json(`${url}/v1/files`, { method: 'POST', body: form })).id
}

const create = (url: string, file: string, shard = 'shard-1') =>
  json(`${url}/v1/batches`, {
    method: 'POST',
    body: JSON.stringify({
      input_file_id: file,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
      metadata: { sluice_shard: shard },
    }),
  })

const report = (url: string): Promise<BatchReport> => json(`${url.replace('/proxy', '')}/__simulator/batches?settle=1`)

async function ended(url: string, id: string) {
  return vi.waitFor(
    async () => {
      const batch = await json(`${url}/v1/batches/${id}`)
      expect(batch.completed_at).not.toBeNull()
      return batch
    },
    { timeout: 20_000 },
  )
}

describe('batches over HTTP', () => {
  it('end by themselves, are written down row by row, and are all told of', async () => {
    const url = await serve({ speed: 3600, running: { medianMs: 600_000, p99Ms: 600_000 } })
    const { id } = await create(url, await upload(url, 40))
    // Nobody looks at it.
    await vi.waitFor(() => expect(readFileSync(log(), 'utf8').split('\n')).toHaveLength(41), { timeout: 10_000 })
    const lines: RequestLogLine[] = linesOf(readFileSync(log(), 'utf8'))
    expect(lines.map((line) => line.custom_id)).toEqual(texts(40).map((one) => one.id))
    expect(lines[0]).toMatchObject({ batch: id, billed: true, status: 200, attempt: null, model: 'tickets' })
    const told = await report(url)
    expect(told).toMatchObject({
      batches: [{ id, shard: 'shard-1', requests: 40, end: 'completed', billed_requests: 40, fetched: 0 }],
      shards: { 'shard-1': { calls: 1, batches: 1, worked: 1 } },
      calls: { 'openai upload': 1, 'openai create': 1 },
      working: false,
    })
    const cost = lines.reduce((sum, line) => sum + line.cost_nano, 0)
    expect(told.batches[0]!.cost_nano).toBe(cost)
    expect(await json(`${url.replace('/proxy', '')}/__simulator/stats`)).toMatchObject({
      cost_nano: cost,
      requests: 40,
    })
    const { output_file_id: output } = await ended(url, id)
    const results = await (await fetch(`${url}/v1/files/${output}/content`)).text()
    expect(linesOf(results)).toHaveLength(40)
  })

  it('are there although the answer to their creation was lost', async () => {
    const url = await serve({ createLost: 1 })
    const error = await create(url, await upload(url, 3)).catch((thrown: unknown) => thrown)
    expect((error as { cause: { code: string } }).cause.code).toMatch(/ECONNRESET|UND_ERR_SOCKET/)
    const { data } = await json(`${url}/v1/batches`)
    expect(data).toMatchObject([{ metadata: { sluice_shard: 'shard-1' } }])
  })

  it('have results that break off midway, and are whole the next time', async () => {
    const url = await serve({ brokenDownloads: 1 })
    const { id } = await create(url, await upload(url, 3_000))
    const { output_file_id: output } = await ended(url, id)
    const content = `${url}/v1/files/${output}/content`
    const broken = await fetch(content)
    let bytes = 0
    const reading = async () => {
      for await (const chunk of broken.body ?? []) bytes += chunk.length
    }
    await expect(reading()).rejects.toThrow()
    expect(bytes).toBeGreaterThan(0)
    expect(bytes).toBeLessThan(Number(broken.headers.get('content-length')))
    expect(linesOf(await (await fetch(content)).text())).toHaveLength(3_000)
  })

  it('let others be served while their answers are worked out', async () => {
    const url = await serve()
    const { id } = await create(url, await upload(url, 4_000))
    const states: string[] = []
    await vi.waitFor(
      async () => {
        states.push((await json(`${url}/v1/batches/${id}`)).status)
        expect(states.at(-1)).toBe('completed')
      },
      { timeout: 20_000, interval: 1 },
    )
    expect(states.filter((state) => state === 'finalizing').length).toBeGreaterThan(2)
  })

  it('point to their results with the caller’s own name of the server', async () => {
    const url = await serve()
    const params = { model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'Hello there.' }] }
    const body = JSON.stringify({ requests: [{ custom_id: 'a', params }] }, null, 2)
    const { id } = await json(`${url}/v1/messages/batches`, { method: 'POST', body })
    const batch = await vi.waitFor(async () => {
      const found = await json(`${url}/v1/messages/batches/${id}`)
      expect(found.processing_status).toBe('ended')
      return found
    })
    expect(batch.results_url).toBe(`${url}/v1/messages/batches/${id}/results`)
    expect(linesOf(await (await fetch(batch.results_url)).text())).toMatchObject([{ custom_id: 'a' }])
  })

  it('leave nothing on disk when the server is closed', async () => {
    const url = await serve()
    await ended(url, (await create(url, await upload(url, 5))).id)
    expect(spools()).toHaveLength(1)
    await open.pop()?.close()
    expect(spools()).toEqual([])
  })

  it('keep no file that nobody needs', async () => {
    const url = await serve()
    const file = await upload(url, 5)
    await ended(url, (await create(url, file)).id)
    const held = () => readdirSync(join(folder, String(spools()[0]))).length
    expect(held()).toBe(2)
    await fetch(`${url}/v1/files/${file}`, { method: 'DELETE' })
    expect(held()).toBe(1)
  })

  it('outlive clients that leave in the middle of an upload', async () => {
    const url = await serve()
    const socket = createConnection(Number(new URL(url).port), '127.0.0.1')
    const head = 'POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n'
    socket.write(
      `${head}content-length: 9000\r\n\r\n--b\r\ncontent-disposition: form-data; name="file"; filename="x.jsonl"\r\n\r\n{"cus`,
    )
    await vi.waitFor(() => expect(spools()).toHaveLength(1))
    socket.resetAndDestroy()
    await vi.waitFor(() => expect(readdirSync(join(folder, String(spools()[0])))).toEqual([]))
    expect((await json(`${url}/v1/batches`)).data).toEqual([])
  })
})
