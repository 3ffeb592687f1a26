import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Completion, ServedTier } from '../../src/domain/completion.ts'
import { failure } from '../../src/domain/failure.ts'
import type { Job } from '../../src/domain/job.ts'
import { type Route, rerouted } from '../../src/domain/route.ts'
import { flexAccount } from '../../src/limit/flex-account.ts'
import type { RowTask } from '../../src/worker/held-chunk.ts'
import { FLEX_TIMEOUT_MS, liveWayOf } from '../../src/worker/live-way.ts'
import { hastyRuntime } from './hasty-runtime.ts'
import { fails, type SentRequest, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
const open = async (speed?: number) => {
  shop = await openWorkshop(speed === undefined ? {} : { runtime: hastyRuntime(speed) })
  shop.flex.add('openai/main')
}
beforeEach(() => open())
afterEach(() => shop.close())

const FLEX: Route = {
  way: 'flex',
  chosen: 'flex',
  deadlineAtMs: null,
  why: 'half the price',
  ways: [],
  liveMsPerRow: 1,
  changes: [],
}

/** A job whose rows are to go as flex. */
async function flexJob(n: number, plan: Partial<Parameters<Workshop['job']>[0]> = {}): Promise<Job> {
  const job = await shop.job({ rows: rows(n), ...plan, execution: { cache: 'off', ...plan.execution } })
  expect(await shop.store.jobs.setRoute(job.jobNo, null, FLEX, shop.runtime.now())).toBe(true)
  return shop.reread(job)
}

/** What the same rows cost live. */
async function liveCost(n: number): Promise<number> {
  const job = await shop.work(await shop.job({ rows: rows(n), execution: { cache: 'off' } }))
  return job.counters.costNano
}

const served = (tier: ServedTier): Completion => ({ ...topic(), tier })
/** Serves what it is asked for at the tier it is asked at. */
const willing = ({ flex }: SentRequest) => served(flex ? 'flex' : 'standard')
const noRoom = fails('overloaded', { status: 429, providerCode: 'resource_unavailable' })
const notAtAll: Completion = {
  ...fails('provider_error', { status: 400, retryable: false }),
  ok: false,
  failure: { ...failure('provider_error', 'HTTP 400: Unsupported service_tier: flex'), status: 400, retryable: false },
  tierRefused: true,
}

describe('a job that goes as flex', () => {
  it('costs half, and stands in the ledger as live', async () => {
    const full = await liveCost(23)
    shop.lane.answers(willing)
    const job = await shop.work(await flexJob(23))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 23, attempts: 23 } })
    expect(job.counters.costNano * 2).toBe(full)
    expect(shop.lane.sent.slice(23).every(({ flex }) => flex)).toBe(true)
    expect(new Set((await shop.outcomes(job)).map(({ lane }) => lane))).toEqual(new Set(['live']))
    await shop.assertBalanced(job)
  })

  it('is charged in full for what was served at the standard tier, or does not say', async () => {
    const full = await liveCost(20)
    shop.lane.answers(() => served('standard'))
    expect((await shop.work(await flexJob(20))).counters.costNano).toBe(full)
    shop.lane.answers(() => topic())
    expect((await shop.work(await flexJob(20))).counters.costNano).toBe(full)
  })

  it('asks a model that has no flex as ever', async () => {
    shop.flex.clear()
    shop.lane.answers(willing)
    expect(await shop.work(await flexJob(6))).toMatchObject({ state: 'completed' })
    expect(shop.lane.sent.some(({ flex }) => flex)).toBe(false)
  })

  it('is booked at the live price where its process dies first', async () => {
    const lostCost = async (job: Job) => {
      const held = Promise.withResolvers<void>()
      shop.lane.answers(() => held.promise.then(() => topic()))
      const worker = shop.start(job)
      await until('it is asked', () => shop.lane.open === 1)
      worker.abandon()
      await worker.done
      shop.lane.answers(willing)
      await shop.work(job)
      held.resolve()
      await shop.assertBalanced(job)
      return (await shop.store.attempts.ledger(job.jobNo)).lostCostNano
    }
    const live = await lostCost(await shop.job({ rows: rows(1), execution: { cache: 'off' } }))
    expect(live).toBeGreaterThan(0)
    expect(await lostCost(await flexJob(1))).toBe(live)
  })

  it('waits for room: what was refused uses nothing up, and goes on as flex', async () => {
    shop.lane.answers((request) => (request.time <= 2 ? noRoom : willing(request)))
    const job = await shop.work(await flexJob(8, { execution: { retries: 0 } }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 8, retried: 0, attempts: 24 } })
    expect(job.route).toMatchObject({ way: 'flex', changes: [] })
    expect(shop.lane.sent.every(({ flex }) => flex)).toBe(true)
    await shop.assertBalanced(job)
  })

  it('goes on live, for good, when there has been no room for any of it for five minutes', async () => {
    await shop.close()
    await open(400)
    shop.lane.answers((request) => (request.flex ? noRoom : willing(request)))
    const job = await shop.work(await flexJob(30, { execution: { retries: 0 } }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 30, failed: 0, retried: 0 } })
    expect(job.route).toMatchObject({ way: 'live', chosen: 'flex' })
    expect(job.route?.changes.map(({ why }) => why)).toEqual([
      expect.stringMatching(/^openai\/main has had no room for flex for \d+ minutes$/),
    ])
    const firstLive = shop.lane.sent.findIndex(({ flex }) => !flex)
    expect(shop.lane.sent.slice(firstLive).filter(({ flex }) => !flex)).toHaveLength(30)
    expect(shop.governor.state('openai/main').outage).toBe(false)
    await shop.assertBalanced(job)
  })

  it('goes on live at once where the provider will not serve the model so', async () => {
    shop.lane.answers((request) => (request.flex ? notAtAll : willing(request)))
    const job = await shop.work(await flexJob(12, { execution: { retries: 0, concurrency: { max: 2 } } }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 12, failed: 0, retried: 0 } })
    // Those in flight when the first refusal came.
    expect(shop.lane.sent.filter(({ flex }) => flex).length).toBeLessThanOrEqual(2)
    await shop.assertBalanced(job)
  })

  it('has its route changed then, for whoever else works on it', async () => {
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async (request) => {
      if (request.flex) return notAtAll
      await held.promise
      return willing(request)
    })
    const job = await flexJob(3)
    const worker = shop.start(job)
    await until('its route has changed', async () => (await shop.reread(job)).route?.way === 'live')
    expect((await shop.reread(job)).route?.changes[0]?.why).toBe('openai/main is not served as flex (HTTP 400)')
    held.resolve()
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed' })
  })

  it('pauses where the provider cannot be reached at all', async () => {
    await shop.close()
    await open(400)
    shop.lane.answers(() => fails('connection'))
    const job = await shop.work(await flexJob(40, { chunkRows: 40, execution: { retries: 20 } }))
    expect(job).toMatchObject({ state: 'paused', reason: 'provider_down', route: { way: 'flex' } })
  })

  it('takes another way as soon as its route says so, rows that wait for a slot included', async () => {
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async (request) => {
      if (request.flex) await held.promise
      return willing(request)
    })
    const job = await flexJob(40, { chunkRows: 40, execution: { concurrency: { max: 2 } } })
    const worker = shop.start(job)
    await until('flex is full', () => shop.lane.open === 2)
    const change = { atMs: shop.runtime.now(), to: 'live', why: 'in haste' } as const
    await shop.store.jobs.setRoute(job.jobNo, FLEX, rerouted(FLEX, change), change.atMs)
    await until('the others are asked live', () => shop.lane.sent.filter(({ flex }) => !flex).length === 38)
    held.resolve()
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 40, attempts: 40 } })
    await shop.assertBalanced(job)
  })
})

describe('a request that goes as flex', () => {
  const wayOf = (deadlineAtMs: number | null, requestMs = 120_000) => {
    const target = { account: 'a', flex: { price: null, priceNo: null } }
    const spec = { execution: { timeout: { requestMs } } }
    const run = { route: { ...FLEX, deadlineAtMs }, spec, targets: new Map([[-1, target]]) }
    return liveWayOf({ held: { run }, next: { fallbackIndex: -1 } } as unknown as RowTask, 1_000_000)
  }

  it('has slots of its own and a quarter of an hour, or as long as the spec says', () => {
    expect(wayOf(null)).toEqual({ tier: 'flex', account: flexAccount('a'), timeoutMs: FLEX_TIMEOUT_MS })
    expect(wayOf(null, 3_600_000).timeoutMs).toBe(3_600_000)
  })

  it('leaves time for a live request before the deadline', () => {
    expect(wayOf(1_000_000 + 600_000).timeoutMs).toBe(480_000)
    expect(wayOf(1_000_000 + 60_000).timeoutMs).toBe(120_000)
    expect(wayOf(1_000_000 - 60_000).timeoutMs).toBe(120_000)
    expect(wayOf(1_000_000 + 86_400_000).timeoutMs).toBe(FLEX_TIMEOUT_MS)
  })
})
