import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Outcome } from '../../src/domain/row.ts'
import { fails, says, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { fallback, openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const states = (outcomes: readonly Outcome[]) => outcomes.map(({ state, cause }) => cause ?? state)

describe('rows that go well', () => {
  it('are sent once each, and complete the job', async () => {
    const job = await shop.job({ rows: rows(23) })
    const ended = await shop.work(job)
    expect(ended).toMatchObject({ state: 'completed', reason: null, openChunks: 0 })
    expect(shop.lane.sent.map((request) => request.text).sort()).toEqual([...rows(23)].sort())
    const outcomes = await shop.outcomes(job)
    expect(outcomes.map(({ rowIndex }) => rowIndex)).toEqual(rows(23).map((_, index) => index))
    expect(outcomes[7]).toMatchObject({
      state: 'succeeded',
      output: '{"topic":"bug"}',
      attempts: 1,
      model: 'm-1',
      lane: 'live',
      inputTokens: 10,
      outputTokens: 5,
      costNano: 8 * 1000 + 2 * 100 + 5 * 4000,
    })
    await shop.assertBalanced(job)
  })

  it('are told of after their commit, each once', async () => {
    const job = await shop.job({ rows: rows(12) })
    const early: number[] = []
    const look = async (ended: number) => {
      const { counters } = await shop.store.jobs.progress(job.jobNo)
      if (counters.succeeded < ended) early.push(ended)
    }
    const looks: Promise<void>[] = []
    shop.events.on('rows.ended', (event) => looks.push(look(event.rows)))
    await shop.work(job)
    const ended = shop.heard('rows.ended')
    expect(ended.reduce((sum, event) => sum + event.rows, 0)).toBe(12)
    expect(shop.heard('attempt.ended')).toHaveLength(12)
    expect(shop.heard('chunk.done')).toHaveLength(3)
    await Promise.all(looks)
    expect(early).toEqual([])
  })

  it('end without being sent where the spec skips them', async () => {
    const job = await shop.job({
      rows: ['keep', 'drop', 'keep too'],
      spec: { input: { ...(await plainInput()), where: 'body contains "keep"' } },
    })
    await shop.work(job)
    expect(states(await shop.outcomes(job))).toEqual(['succeeded', 'skipped', 'succeeded'])
    expect(shop.lane.sent).toHaveLength(2)
    await shop.assertBalanced(job)
  })

  it('may be none at all', async () => {
    const ended = await shop.work(await shop.job({ rows: [] }))
    expect(ended.state).toBe('completed')
  })
})

describe('a failure', () => {
  it('is asked again as often as retries allow, and then is a dead letter', async () => {
    shop.lane.answers(({ text }) => (text === 'row 1' ? fails('timeout') : topic()))
    const job = await shop.job({ rows: rows(3), execution: { retries: 2 } })
    await shop.work(job)
    const outcomes = await shop.outcomes(job)
    expect(states(outcomes)).toEqual(['succeeded', 'timeout', 'succeeded'])
    expect(outcomes[1]?.attempts).toBe(3)
    expect((await shop.reread(job)).counters).toMatchObject({ retried: 1, failed: 1, attempts: 5 })
    await shop.assertBalanced(job)
  })

  it('that the provider asked to slow down for uses nothing up', async () => {
    shop.lane.answers(({ time }) => (time <= 8 ? fails('rate_limited', { retryAfterMs: 20 }) : topic()))
    const job = await shop.job({ rows: rows(2), execution: { retries: 0 } })
    await shop.work(job)
    const outcomes = await shop.outcomes(job)
    expect(states(outcomes)).toEqual(['succeeded', 'succeeded'])
    expect(outcomes[0]?.attempts).toBe(1)
    expect((await shop.store.attempts.ledger(job.jobNo)).attempts).toBe(18)
    await shop.assertBalanced(job)
  })

  it('is fed back where the answer does not fit, and the last reply is kept', async () => {
    shop.lane.answers(() => says('{"topic":"weather"}'))
    const job = await shop.job({ rows: rows(1) })
    await shop.work(job)
    const [outcome] = await shop.outcomes(job)
    expect(outcome).toMatchObject({
      state: 'failed',
      cause: 'schema_invalid',
      attempts: 3,
      reply: '{"topic":"weather"}',
    })
    await shop.assertBalanced(job)
  })

  it('tells how many attempts end, and which are asked again', async () => {
    shop.lane.answers(({ time }) => (time === 1 ? says('nonsense') : topic()))
    await shop.work(await shop.job({ rows: rows(1) }))
    const ended = shop.heard('attempt.ended').map(({ cause, again }) => [cause, again])
    expect(ended).toEqual([
      ['invalid_json', true],
      [null, false],
    ])
  })

  it('backs off by what the provider asked for', async () => {
    const times: number[] = []
    shop.lane.answers(({ time }) => {
      times.push(shop.runtime.now())
      return time === 1 ? fails('provider_error', { retryAfterMs: 3_000 }) : topic()
    })
    await shop.work(await shop.job({ rows: rows(1) }))
    expect((times[1] as number) - (times[0] as number)).toBeGreaterThanOrEqual(3_000)
  })
})

describe('a fallback', () => {
  it('takes rows by their cause', async () => {
    shop.lane.answers(({ model, text }) =>
      model === 'openai/main' && text !== 'row 0' ? fails('refused') : topic('login'),
    )
    const job = await shop.job({ rows: rows(3), spec: withFallback(null) })
    await shop.work(job)
    const outcomes = await shop.outcomes(job)
    expect(states(outcomes)).toEqual(['succeeded', 'succeeded', 'succeeded'])
    expect(outcomes.map((outcome) => outcome.fallback)).toEqual([false, true, true])
    expect(shop.lane.sent.filter((request) => request.model === 'openai/large')).toHaveLength(2)
    expect((await shop.reread(job)).counters.fallback).toBe(2)
    await shop.assertBalanced(job)
  })

  it('takes no more than its share of the rows', async () => {
    shop.lane.answers(({ model }) => (model === 'openai/main' ? fails('refused') : topic()))
    const job = await shop.job({ rows: rows(20), spec: withFallback(0.1) })
    await shop.work(job)
    expect(shop.lane.sent.filter((request) => request.model === 'openai/large')).toHaveLength(2)
    expect((await shop.reread(job)).counters).toMatchObject({ succeeded: 2, failed: 18, fallback: 2 })
    await shop.assertBalanced(job)
  })

  it('keeps its share over a restart', async () => {
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async ({ model }) => {
      if (model === 'openai/main') return fails('refused')
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(20), chunkRows: 20, spec: withFallback(0.1) })
    const first = shop.start(job)
    await until('all but the share has ended', async () => (await shop.outcomes(job)).length === 18)
    first.abandon()
    await first.done
    held.resolve()
    expect(await shop.work(job)).toMatchObject({
      state: 'completed',
      counters: { succeeded: 2, failed: 18, fallback: 2 },
    })
    const large = shop.lane.sent.filter((request) => request.model === 'openai/large')
    expect(new Set(large.map((request) => request.text)).size).toBe(2)
    await shop.assertBalanced(job)
  })
})

describe('an answer that was paid for', () => {
  it('is not paid for again by another job of the same spec', async () => {
    const first = await shop.job({ rows: rows(4) })
    await shop.work(first)
    const second = await shop.job({ rows: ['row 2', 'row 3', 'row new'] })
    await shop.work(second)
    expect(shop.lane.sent.slice(4).map((request) => request.text)).toEqual(['row new'])
    const outcomes = await shop.outcomes(second)
    expect(outcomes.map((outcome) => outcome.lane)).toEqual(['cache', 'cache', 'live'])
    expect(outcomes[0]).toMatchObject({
      state: 'succeeded',
      output: '{"topic":"bug"}',
      attempts: 0,
      costNano: 0,
      model: 'm-1',
    })
    expect((await shop.reread(second)).counters).toMatchObject({ succeeded: 3, cached: 2, attempts: 1 })
    await shop.assertBalanced(second)
  })

  it('is paid for again with `cache: off`', async () => {
    await shop.work(await shop.job({ rows: rows(2), execution: { cache: 'off' } }))
    const again = await shop.job({ rows: rows(2), execution: { cache: 'off' } })
    await shop.work(again)
    expect(shop.lane.sent).toHaveLength(4)
    expect((await shop.reread(again)).counters.cached).toBe(0)
  })

  it('is asked for anew where it fails a check that the spec has gained', async () => {
    await shop.work(await shop.job({ rows: rows(2) }))
    shop.lane.answers(() => topic('login'))
    const output = (await shop.job({ rows: [] }).then((job) => shop.jobDeps.specOf(job))).output
    const checks = [{ that: "output.topic == 'login'", message: 'only logins' }]
    const strict = await shop.job({ rows: rows(2), spec: { output: { ...output, checks } } })
    await shop.work(strict)
    expect(shop.lane.sent).toHaveLength(4)
    expect((await shop.outcomes(strict)).map((outcome) => outcome.output)).toEqual(Array(2).fill('{"topic":"login"}'))
  })
})

const withFallback = (maxShare: number | null) => ({
  model: {
    target: { id: 'openai/main', baseUrl: null, apiKeyEnv: null, params: { max_output_tokens: 200 } },
    price: null,
    fallback: [fallback('openai/large', ['refused'], maxShare)],
  },
})

async function plainInput() {
  return (await shop.jobDeps.specOf(await shop.job({ rows: [] }))).input
}
