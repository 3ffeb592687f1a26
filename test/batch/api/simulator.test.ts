import { afterEach, describe, expect, it } from 'vitest'
import { createBatchApis } from '../../../src/batch/apis.ts'
import type { ApiAnswer, BatchApi, RequestLine } from '../../../src/batch/batch-api.ts'
import type { BatchKind, BatchSaid } from '../../../src/domain/batch.ts'
import type { Completion } from '../../../src/domain/completion.ts'
import type { Failure } from '../../../src/domain/failure.ts'
import type { JsonSchema, ModelRequest } from '../../../src/domain/request.ts'
import { createModels } from '../../../src/provider/registry.ts'
import { createTransport } from '../../../src/provider/transport.ts'
import { systemRuntime } from '../../../src/runtime.ts'
import { simulatorFetch } from '../../../src/simulator/fetch.ts'
import type { SimulatorOptions } from '../../../src/simulator/options.ts'
import { DEFAULT_SIMULATED_PRICE } from '../../../src/simulator/price.ts'
import { startSimulatorServer } from '../../../src/simulator/server.ts'
import { createSimulator } from '../../../src/simulator/simulator.ts'
import { kindOf, NEVER, offerOf, SHARD } from './scripted.ts'

const runtime = systemRuntime()
const env = () => 'a-key-of-mine'
const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const SCHEMA: JsonSchema = {
  type: 'object',
  properties: {
    topic: { type: 'string', enum: ['billing', 'bug', 'other'] },
    note: { type: 'string', maxLength: 40 },
    urgent: { type: 'boolean' },
  },
  required: ['topic', 'urgent'],
}

/** Models and batch APIs of one provider, over a server that simulates it; in this process where it has no path. */
async function reach(id: string, path: string | null, count: number, options: Partial<SimulatorOptions> = {}) {
  const simulator = createSimulator({ nowMs: runtime.now, after: runtime.after, ...options })
  closing.push(() => simulator.close())
  const transport = createTransport()
  closing.push(() => transport.close())
  let baseUrl: string | null = null
  if (path !== null) {
    const server = await startSimulatorServer(simulator, { after: runtime.after, port: 0 })
    closing.push(() => server.close())
    baseUrl = `${server.url}${path}`
  }
  const fetch = simulatorFetch(simulator, { sleep: runtime.sleep })
  const price = { cachedInput: null, ...DEFAULT_SIMULATED_PRICE }
  const models = createModels({ env, runtime, transport, simulator: { fetch, price } })
  const apis = createBatchApis({ env, runtime, http: transport.http, simulator: { fetch } })
  const target = { id, baseUrl, apiKeyEnv: null, params: { max_output_tokens: 200 } }
  const requests = Array.from(
    { length: count },
    (_, row): ModelRequest => ({
      target,
      system: 'Label tickets.',
      messages: [{ role: 'user', text: `Ticket ${row}: “I was billed twice”, Straße ${row}\nand more` }],
      schema: SCHEMA,
    }),
  )
  return { simulator, models, apis, target, requests, model: models.open(target) }
}

type Reached = Awaited<ReturnType<typeof reach>>

/** The requests as lines of a batch of ours, and their kind. */
async function packed({ model, models, target, requests }: Reached) {
  const lines: RequestLine[] = []
  const kinds = new Set<BatchKind>()
  for (const [row, request] of requests.entries()) {
    const encoded = await model.encode(request)
    if (!encoded.ok) throw new Error(encoded.failure.message)
    kinds.add(models.batchKind(target, encoded))
    lines.push({ id: `${'c'.repeat(32)}-${row}`, body: encoded.body })
  }
  const [kind, ...others] = kinds
  if (kind === undefined || others.length > 0) throw new Error(`${kinds.size} kinds`)
  return { lines, kind }
}

function said<T>(answer: ApiAnswer<T>): T {
  if (answer.is !== 'said') throw new Error(`${answer.is}: ${answer.failure.message}`)
  return answer.value
}

async function ended(api: BatchApi, batch: BatchSaid): Promise<BatchSaid> {
  let latest = batch
  while (latest.end === null) {
    await new Promise((resolve) => setImmediate(resolve))
    latest = said(await api.poll(batch.batchId, NEVER))
  }
  return latest
}

/** What the batch brought, by row; a row without an answer has its failure. */
async function collected(reached: Reached, api: BatchApi, batch: BatchSaid): Promise<(Completion | Failure)[]> {
  const rows: (Completion | Failure)[] = []
  for await (const line of api.results(batch, NEVER)) {
    const { id, result } = api.readLine(line)
    const row = Number(id?.split('-')[1])
    const request = reached.requests[row]
    if (request === undefined) throw new Error(`whose is ${line}?`)
    if (result.kind !== 'reply') rows[row] = result.failure
    else rows[row] = await reached.model.decode(request, { ...result, schemaLevel: 'schema' })
  }
  return rows
}

type Reachable = readonly [id: string, path: string | null, rows: number]

const PROVIDERS: readonly Reachable[] = [
  ['simulator/any', null, 12],
  ['openai/gpt-4.1-mini', '/v1', 12],
  ['openai-responses/gpt-5-mini', '/v1', 12],
  ['openai-compatible/llama', '/v1', 12],
  ['anthropic/claude-sonnet-4-5', '/v1', 12],
  ['google/gemini-2.5-flash', '/v1beta', 60],
  ['openai-compatible/mistral-small-latest', '/mistral/v1', 12],
]

/** So few go to Gemini within the call that creates their batch. */
const WITHOUT_FILE: Reachable = ['google/gemini-2.5-flash', '/v1beta', 12]

describe.each([...PROVIDERS, WITHOUT_FILE])('%s at %s, simulated, with %i rows', (id, path, count) => {
  it('answers by batch what it answers live, at half the price', async () => {
    const reached = await reach(id, path, count)
    const { lines, kind } = await packed(reached)
    const api = reached.apis.open(kind)
    const offer = offerOf(kind, lines)
    const batch = said(await api.create(offer, said(await api.upload(offer, NEVER)), NEVER))
    const listed = said(await api.list(runtime.now() - 60_000, NEVER))
    expect(listed.map(({ said: one, shardId }) => [one.batchId, shardId])).toEqual([
      [batch.batchId, api.namesShards ? SHARD : null],
    ])
    const end = await ended(api, batch)
    expect(end).toMatchObject({ end: 'completed', total: count, succeeded: count, failed: 0 })
    const rows = await collected(reached, api, end)
    expect(rows).toHaveLength(count)
    for (const [row, request] of reached.requests.entries()) {
      const live = await reached.model.complete(request, { timeoutMs: 60_000, signal: NEVER, attemptId: 'live' })
      const { text, finish, usage } = live as Completion & { text: string; finish: string }
      expect(rows[row]).toMatchObject({ ok: true, text, finish, usage, limits: null, latencyMs: 0 })
    }
  })

  it('gives back what was done before it was cancelled', async () => {
    const batches = { running: { medianMs: 3_600_000, p99Ms: 3_600_000 }, speed: 1 }
    const reached = await reach(id, path, count, { batches })
    const { lines, kind } = await packed(reached)
    const api = reached.apis.open(kind)
    const offer = offerOf(kind, lines)
    const batch = said(await api.create(offer, said(await api.upload(offer, NEVER)), NEVER))
    expect(batch.end).toBeNull()
    said(await api.cancel(batch.batchId, NEVER))
    const end = await ended(api, batch)
    expect(end.end).toBe('cancelled')
    const rows = await collected(reached, api, end)
    for (const row of rows) if ('cause' in row) expect(row.cause).toBe('cancelled')
  })
})

it('rows that fail at the simulated provider have causes that are asked again', async () => {
  for (const [id, path, count] of PROVIDERS) {
    const reached = await reach(id, path, count, { batches: { rowError: 1 } })
    const { lines, kind } = await packed(reached)
    const api = reached.apis.open(kind)
    const offer = offerOf(kind, lines)
    const batch = said(await api.create(offer, said(await api.upload(offer, NEVER)), NEVER))
    const rows = await collected(reached, api, await ended(api, batch))
    for (const row of rows) {
      const failure = 'cause' in row ? row : row.ok ? null : row.failure
      expect(['provider_error', 'overloaded', 'timeout'], id).toContain(failure?.cause)
      expect(failure?.retryable, `${id}: ${failure?.message}`).toBe(true)
    }
    expect(rows, id).toHaveLength(count)
  }
})

it('the queue of a simulated provider that is full is told as full, by whoever says so', async () => {
  for (const [id, path, count] of PROVIDERS) {
    const reached = await reach(id, path, count, { batches: { queueTokens: 10 } })
    const { lines, kind } = await packed(reached)
    const api = reached.apis.open(kind)
    const offer = offerOf(kind, lines)
    const answer = await api.create(offer, said(await api.upload(offer, NEVER)), NEVER)
    const isFull =
      answer.is === 'refused' ? answer.queueFull : answer.is === 'said' && (await ended(api, answer.value)).queueFull
    expect(isFull, id).toBe(true)
  }
})

it('a result that cannot be had, or breaks off, is whole the next time', async () => {
  for (const [id, path, count] of PROVIDERS) {
    const reached = await reach(id, path, count, { batches: { badGateways: 1, brokenDownloads: 1 } })
    const { lines, kind } = await packed(reached)
    const api = reached.apis.open(kind)
    const offer = offerOf(kind, lines)
    const end = await ended(api, said(await api.create(offer, said(await api.upload(offer, NEVER)), NEVER)))
    await expect(collected(reached, api, end), id).rejects.toMatchObject({
      name: 'ResultsCut',
      failure: { status: 502 },
    })
    await expect(collected(reached, api, end), id).rejects.toMatchObject({
      name: 'ResultsCut',
      failure: { cause: 'connection' },
    })
    expect(await collected(reached, api, end), id).toHaveLength(count)
  }
})

it('a kind without a server is a network failure, not an exception', async () => {
  const { apis } = await reach('simulator/any', null, 0)
  const kind = kindOf('openai-compatible/llama', 'http://127.0.0.1:1/v1')
  const refused = await apis.open(kind).create(offerOf(kind, []), 'f', NEVER)
  expect(refused).toMatchObject({ is: 'refused', failure: { cause: 'connection' } })
})
