import { afterEach, describe, expect, it } from 'vitest'
import type { BatchOptions } from '../../src/simulator/batch/options.ts'
import type { SimulatorOptions } from '../../src/simulator/options.ts'
import { type Bench, benchOf, runBatch, SPEAKERS, texts } from './batching.ts'

const HOUR = 3_600_000
const steady = (ms: number) => ({ medianMs: ms, p99Ms: ms })
const benches: Bench[] = []
afterEach(async () => {
  for (const bench of benches.splice(0)) await bench.simulator.close()
})
function open(batches: Partial<BatchOptions> = {}, more: Partial<SimulatorOptions> = {}): Bench {
  const bench = benchOf({ batches, ...more })
  benches.push(bench)
  return bench
}
const slow = { validating: steady(HOUR), running: steady(4 * HOUR), finalizing: steady(HOUR) }

describe.each(SPEAKERS)('a batch of $name', (speaker) => {
  it('answers each request once, as the live endpoint would, at half the price', async () => {
    const bench = open()
    const asked = texts(30)
    const id = await runBatch(bench, speaker, asked, 'shard-1')
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe('completed')
    const results = await speaker.results(bench, id)
    expect(results.map((result) => result.id)).toEqual(asked.map((one) => one.id))
    const half = bench.simulator.stats().cost_nano
    for (const [at, one] of asked.entries()) {
      expect(results[at]!.isAnswer).toBe(true)
      expect(withoutIds(results[at]!.body)).toEqual(withoutIds((await speaker.live(bench, one)).json))
    }
    const live = bench.simulator.stats().cost_nano - half
    expect(Math.abs(live / 2 - half)).toBeLessThanOrEqual(asked.length)
    expect(half).toBeGreaterThan(0)
  })

  it('goes through its states by the clock, and says nothing of results before its end', async () => {
    const bench = open(slow)
    const created = await speaker.create(bench, texts(8))
    const id = speaker.idOf(created)
    const states: string[] = []
    for (const hours of [0, 2, 3.5, 1]) {
      await bench.pass(hours * HOUR)
      const reply = await speaker.look(bench, id)
      states.push(speaker.stateOf(reply))
      expect(speaker.idOf(reply)).toBe(id)
    }
    const isOpenAi = speaker.name === 'openai'
    const first = speaker.name === 'anthropic' ? 'running' : 'validating'
    expect(states).toEqual([first, 'running', isOpenAi ? 'finalizing' : 'running', 'completed'])
    expect(await speaker.results(bench, id)).toHaveLength(8)
  })

  it('passes a day in seconds on a faster clock, on which its window shrinks too', async () => {
    const bench = open({ ...slow, speed: 3600 })
    const id = speaker.idOf(await speaker.create(bench, texts(3)))
    await bench.pass(5_900)
    expect(speaker.stateOf(await speaker.look(bench, id))).not.toBe('completed')
    await bench.pass(200)
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe('completed')
    const line = bench.simulator.batches.report().batches[0]!
    expect(line.ended_at! - line.created_at).toBe(6_000)
  })

  it('that is cancelled takes its time, and keeps and charges what was done', async () => {
    const bench = open({ running: steady(10 * HOUR), cancellingMs: 5 * 60_000 })
    const id = speaker.idOf(await speaker.create(bench, texts(200)))
    await bench.pass(4 * HOUR)
    expect((await speaker.cancel(bench, id)).status).toBe(200)
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe(speaker.name === 'gemini' ? 'running' : 'cancelling')
    await bench.pass(5 * 60_000)
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe('cancelled')
    const answers = (await speaker.results(bench, id)).filter((result) => result.isAnswer)
    expect(answers.length).toBeGreaterThan(50)
    expect(answers.length).toBeLessThan(110)
    expect(bench.simulator.stats().billed_requests).toBe(answers.length)
    const [line] = bench.simulator.batches.report().batches
    expect(line).toMatchObject({ succeeded: answers.length, cancelled: 200 - answers.length, end: 'cancelled' })
  })

  it('that is cancelled at once holds nothing and costs nothing', async () => {
    const bench = open({ validating: steady(HOUR), running: steady(HOUR) })
    const id = speaker.idOf(await speaker.create(bench, texts(5)))
    await speaker.cancel(bench, id)
    await bench.pass(1)
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe('cancelled')
    expect(bench.simulator.stats()).toMatchObject({ billed_requests: 0, cost_nano: 0 })
    if (speaker.name === 'anthropic') expect(await speaker.results(bench, id)).toHaveLength(5)
  })

  it('expires at the end of its window, with what was done by then, or with nothing', async () => {
    const bench = open({ expired: 1, running: steady(HOUR) })
    const id = await runBatch(bench, speaker, texts(100))
    expect(speaker.stateOf(await speaker.look(bench, id))).toBe('expired')
    const results = await speaker.results(bench, id)
    const answers = results.filter((result) => result.isAnswer).length
    const [line] = bench.simulator.batches.report().batches
    expect(line).toMatchObject({ end: 'expired', succeeded: answers, expired: 100 - answers, billed_requests: answers })
    const window = speaker.name === 'gemini' ? 48 : 24
    expect(line!.ended_at! - line!.created_at).toBeGreaterThanOrEqual(window * HOUR)
    if (speaker.name === 'gemini') expect(results).toEqual([])
    else expect(answers).toBeGreaterThan(0)
    expect(results).toHaveLength({ openai: 100, anthropic: 100, gemini: 0, mistral: answers }[speaker.name])
  })

  it('is found by listing, newest first, page by page', async () => {
    const bench = open()
    const ids: string[] = []
    for (const shard of ['a', 'b', 'c']) {
      ids.push(speaker.idOf(await speaker.create(bench, texts(2), shard)))
      await bench.pass(1_000)
    }
    const { json } = await speaker.list(bench)
    const listed = json.data ?? json.operations
    expect(listed.map((one: { id?: string; name?: string }) => one.name ?? one.id)).toEqual(ids.toReversed())
  })

  it('bills what was done whether or not anybody fetches it, once however often it is fetched', async () => {
    const bench = open()
    const id = await runBatch(bench, speaker, texts(10))
    const before = bench.simulator.stats()
    expect(before.billed_requests).toBe(10)
    await speaker.results(bench, id)
    await speaker.results(bench, id)
    expect(bench.simulator.stats()).toEqual(before)
    const rows = bench.records.filter((record) => record.batch === id)
    expect(rows.map((record) => record.customId)).toEqual(texts(10).map((one) => one.id))
    expect(rows.reduce((sum, record) => sum + record.costNano, 0)).toBe(before.cost_nano)
    expect(bench.simulator.batches.report().batches[0]).toMatchObject({ cost_nano: before.cost_nano, fetched: 2 })
  })

  it('is the same in every run with the same seed', async () => {
    const spoilt = {
      rowError: 0.1,
      missing: 0.1,
      doubled: 0.1,
      garbage: 0.1,
      shuffled: true,
      expired: 0.5,
      running: steady(HOUR),
    }
    const run = async (seed: number) => {
      const bench = open(spoilt, { seed, faults: { malformed: 0.2, refusal: 0.1 } })
      const id = await runBatch(bench, speaker, texts(60))
      const results = await speaker.results(bench, id)
      return {
        results: results.map(({ body, ...rest }) => ({ ...rest, body: withoutIds(body) })),
        cost: bench.simulator.stats().cost_nano,
      }
    }
    const first = await run(3)
    expect(await run(3)).toEqual(first)
    expect(await run(4)).not.toEqual(first)
  })
})

/** A body without what differs between any two answers. */
function withoutIds(body: unknown): unknown {
  return JSON.parse(
    JSON.stringify(body, (key, value) =>
      ['id', 'responseId', 'created', 'created_at', 'service_tier', 'request_id'].includes(key) ? undefined : value,
    ) ?? 'null',
  )
}
