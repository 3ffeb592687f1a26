import { afterEach, describe, expect, it } from 'vitest'
import type { BatchOptions } from '../../src/simulator/batch/options.ts'
import { createSimulator } from '../../src/simulator/simulator.ts'
import { type Bench, benchOf, runBatch, SPEAKERS, texts } from './batching.ts'

const HOUR = 3_600_000
const benches: Bench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.simulator.close()
})
function open(batches: Partial<BatchOptions>, more: Parameters<typeof benchOf>[0] = {}): Bench {
  const bench = benchOf({ batches, ...more })
  benches.push(bench)
  return bench
}
const [openai, anthropic, gemini, mistral] = SPEAKERS as [
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
  (typeof SPEAKERS)[0],
]
const reportOf = (bench: Bench) => bench.simulator.batches.report()

describe.each(SPEAKERS)('results of $name', (speaker) => {
  it('hold errors of requests in the provider’s own shape, which cost nothing', async () => {
    const bench = open({ rowError: 0.3 })
    const results = await speaker.results(bench, await runBatch(bench, speaker, texts(200)))
    const wrong = results.filter((result) => !result.isAnswer)
    expect(wrong.length).toBeGreaterThan(30)
    expect(wrong.length).toBeLessThan(100)
    const kinds = new Set(wrong.map(({ body }) => kindOf(body)))
    expect([...kinds].toSorted()).toEqual(KINDS[speaker.name])
    expect(bench.simulator.stats().billed_requests).toBe(200 - wrong.length)
    expect(reportOf(bench).batches[0]).toMatchObject({ failed: wrong.length, succeeded: 200 - wrong.length })
    expect(new Set(results.map((result) => result.id)).size).toBe(200)
  })

  it('miss lines, double them and break them; what cannot be told is not charged', async () => {
    const bench = open({ missing: 0.1, doubled: 0.1, garbage: 0.1 })
    const id = await runBatch(bench, speaker, texts(300))
    const results = await speaker.results(bench, id)
    const named = results.filter((result) => result.id !== null).map((result) => String(result.id))
    const broken = results.length - named.length
    const doubled = named.length - new Set(named).size
    const [line] = reportOf(bench).batches
    expect(broken).toBeGreaterThan(10)
    expect(doubled).toBeGreaterThan(10)
    expect(line!.missing).toBeGreaterThan(broken)
    expect(line!.missing).toBe(300 - new Set(named).size)
    expect(bench.simulator.stats().billed_requests).toBe(300 - line!.missing)
  })

  it('come in another order where that is asked for, and lose nothing by it', async () => {
    const bench = open({ shuffled: true })
    const asked = texts(3_000).map((one) => one.id)
    const ids = (await speaker.results(bench, await runBatch(bench, speaker, texts(3_000)))).map((result) => result.id)
    expect(ids).not.toEqual(asked)
    expect(ids.toSorted()).toEqual(asked.toSorted())
  })

  it('are answered 502, and break off, as often as that is asked for', async () => {
    const bench = open({ badGateways: 1, brokenDownloads: 1 })
    const id = await runBatch(bench, speaker, texts(20))
    const path = speaker.contentPath(await speaker.look(bench, id))
    expect((await bench.get(path)).status).toBe(502)
    await expect(bench.get(path)).rejects.toThrow()
    expect(await speaker.results(bench, id)).toHaveLength(20)
  })

  it('fail for single requests that are wrong, not for the batch', async () => {
    const bench = open({}, { contextTokens: 100 })
    const asked = [...texts(3), { id: 'long', text: 'word '.repeat(500) }]
    const results = await speaker.results(bench, await runBatch(bench, speaker, asked))
    expect(results.filter((result) => !result.isAnswer).map((result) => result.id)).toEqual(['long'])
    expect(bench.simulator.stats().billed_requests).toBe(3)
  })

  it('hold what models get wrong, and that is charged', async () => {
    const bench = open({}, { faults: { truncated: 1, rate_limited: 0, reset: 0 } })
    const results = await speaker.results(bench, await runBatch(bench, speaker, texts(5)))
    expect(results.every((result) => result.isAnswer)).toBe(true)
    expect(JSON.stringify(results)).toMatch(/"length"|"max_tokens"|"MAX_TOKENS"/)
    expect(bench.simulator.stats().billed_requests).toBe(5)
  })

  it('are not touched by the outages and limits of the live endpoint', async () => {
    const bench = open({}, { faults: { rate_limited: 0.5, reset: 0.5 }, limits: { rpm: 1 } })
    const results = await speaker.results(bench, await runBatch(bench, speaker, texts(20)))
    expect(results.filter((result) => result.isAnswer)).toHaveLength(20)
  })
})

const KINDS = {
  openai: ['no status', 'request_timeout', 'server_error'],
  anthropic: ['api_error', 'overloaded_error', 'timeout_error'],
  gemini: ['13', '14', '4'],
  mistral: ['service_tier_capacity_exceeded', 'unreachable_backend'],
} as const

// biome-ignore lint/suspicious/noExplicitAny: whatever a provider says
function kindOf(body: any): string {
  if (Object.keys(body).length === 0) return 'no status'
  return String(body.error?.error?.type ?? body.error?.type ?? body.type ?? body.code)
}

describe('a full queue', () => {
  const running = { medianMs: HOUR, p99Ms: HOUR }

  it('fails an OpenAI batch when it is validated; there is room when others have ended', async () => {
    const bench = open({ running, queueTokens: 2_500 })
    await openai.create(bench, texts(20), 'first')
    const second = openai.idOf(await openai.create(bench, texts(20, 100), 'second'))
    const { json } = await openai.look(bench, second)
    expect(json).toMatchObject({ status: 'failed', output_file_id: null, request_counts: { total: 0 } })
    expect(json.errors.data).toEqual([
      {
        code: 'token_limit_exceeded',
        line: null,
        message:
          'Enqueued token limit reached for tickets in organization org-simulated. Limit: 2,500 enqueued tokens. Please try again once some in_progress batches have been completed.',
        param: null,
      },
    ])
    await bench.pass(2 * HOUR)
    const third = openai.idOf(await openai.create(bench, texts(20, 100), 'second'))
    await bench.pass(2 * HOUR)
    expect(openai.stateOf(await openai.look(bench, third))).toBe('completed')
    expect(reportOf(bench).shards).toEqual({
      first: { calls: 1, batches: 1, worked: 1 },
      second: { calls: 2, batches: 2, worked: 1 },
    })
  })

  it.each([anthropic, gemini, mistral])('turns a batch of $name away', async (speaker) => {
    const bench = open({ running, queueRequests: 30 })
    expect((await speaker.create(bench, texts(20))).status).toBe(200)
    const refused = await speaker.create(bench, texts(20, 100))
    expect(refused.status).toBe(429)
    expect(reportOf(bench).batches).toHaveLength(1)
    await bench.pass(2 * HOUR)
    expect((await speaker.create(bench, texts(20, 100))).status).toBe(200)
  })
})

describe('creation', () => {
  it.each(SPEAKERS)('of $name breaks before or after the batch is there, and both look alike', async (speaker) => {
    for (const [option, made] of [
      ['createCut', 0],
      ['createLost', 1],
    ] as const) {
      const bench = open({ [option]: 1 })
      const error = await speaker.create(bench, texts(4), 'shard-7').catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNRESET' } })
      expect(reportOf(bench).batches).toHaveLength(made)
      if (speaker.name !== 'anthropic') {
        expect(reportOf(bench).shards['shard-7']).toEqual({ calls: 1, batches: made, worked: made })
      }
    }
  })

  it('of a lost batch can be found by listing, and is worked on and billed', async () => {
    const bench = open({ createLost: 1 })
    await openai.create(bench, texts(4), 'shard-7').catch(() => null)
    await bench.pass(0)
    const { json } = await openai.list(bench)
    expect(json.data).toMatchObject([{ status: 'completed', metadata: { sluice_shard: 'shard-7' } }])
    expect(bench.simulator.stats().billed_requests).toBe(4)
  })

  it.each(SPEAKERS)('of $name may fail as a whole, at no cost', async (speaker) => {
    const bench = open({ invalid: 1 })
    const reply = await speaker.create(bench, texts(4), 'shard-7')
    if (speaker.name === 'anthropic') {
      expect(reply).toMatchObject({ status: 400, json: { error: { type: 'invalid_request_error' } } })
    } else {
      await bench.pass(0)
      expect(speaker.stateOf(await speaker.look(bench, speaker.idOf(reply)))).toBe('failed')
      expect(reportOf(bench).shards['shard-7']).toEqual({ calls: 1, batches: 1, worked: 0 })
    }
    expect(bench.simulator.stats().billed_requests).toBe(0)
  })
})

describe('calls', () => {
  it.each(SPEAKERS)('of $name fail now and then, and nothing comes of it', async (speaker) => {
    const bench = open({})
    const id = await runBatch(bench, speaker, texts(4))
    const shaky = open({ callError: 0.5 })
    const looks = await Promise.all(Array.from({ length: 40 }, () => speaker.list(shaky)))
    const failed = looks.filter((reply) => reply.status === 500).length
    expect(failed).toBeGreaterThan(8)
    expect(failed).toBeLessThan(32)
    expect((await speaker.look(bench, id)).status).toBe(200)
  })

  it.each(SPEAKERS)('of $name with a bad key are turned away at the door', async (speaker) => {
    const bench = open({}, { badKey: true })
    const reply = await speaker.list(bench)
    expect(reply.status).toBe(speaker.name === 'gemini' ? 400 : 401)
    expect(reply.headers.get('x-sluice-simulator')).toBe('1')
  })
})

describe('options of batches', () => {
  it('refuse shares that cannot be', () => {
    expect(() => createSimulator({ nowMs: () => 0, batches: { missing: 0.6, garbage: 0.6 } })).toThrow(RangeError)
    expect(() => createSimulator({ nowMs: () => 0, batches: { speed: 0 } })).toThrow(RangeError)
  })

  it('keep batches away from the cache of prompts', async () => {
    const cached = async (uncached: boolean) => {
      const bench = open({ uncached })
      const text = 'The same long beginning of all. '.repeat(200)
      await openai.live(bench, { id: 'live', text })
      bench.clock.ms += 1000
      await openai.create(bench, [{ id: 'a', text }])
      await bench.pass(0)
      return bench.records.at(-1)!.cachedTokens
    }
    expect(await cached(false)).toBeGreaterThan(1000)
    expect(await cached(true)).toBe(0)
  })
})
