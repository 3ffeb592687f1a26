import { afterEach, describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import type { BudgetSpec } from '../../src/domain/spec.ts'
import { resume } from '../../src/job/control.ts'
import { retry } from '../../src/job/retry.ts'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

/** What an answer of the scripted lane costs at the workshop's price, and how many tokens it has. */
const COST = 28_200
const TOKENS = 15
/** More than the worst case of a request there, and less than two of them. */
const WORST = 1_500_000

let shop: Workshop
const open = async () => {
  shop = await openWorkshop()
  return shop
}
afterEach(() => shop.close())

function budget(more: Partial<BudgetSpec>) {
  return { budget: { usdNano: null, tokens: null, rowTokens: null, onExceed: 'pause', ...more } as const }
}

const spent = async (job: Job) => (await shop.store.jobs.progress(job.jobNo)).counters.costNano
const grants = async (job: Job) => (await shop.store.budgets.outlook(job.jobNo)).reserved

describe('a budget', () => {
  it('in dollars pauses the job before the request that might pass it, and a raise goes on', async () => {
    await open()
    const job = await shop.job({ rows: rows(200), chunkRows: 20, spec: budget({ usdNano: 2 * WORST }) })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget', wanted: null })
    expect(paused.detail).toMatch(
      /^\$0\.00\d+ of \$0\.00300 are spent, and the next request may take up to \$0\.001\d+$/,
    )
    expect(await spent(job)).toBeLessThanOrEqual(2 * WORST)
    // Nothing is left over that one more worst case would fit into.
    expect(await spent(job)).toBeGreaterThan(2 * WORST - WORST)
    expect(await grants(job)).toEqual({ nano: 0, tokens: 0 })
    const done = (await shop.outcomes(job)).length

    await shop.store.jobs.set(job.jobNo, { budgetNano: 200 * COST + WORST }, 1)
    await resume(shop.jobDeps, paused)
    expect(await shop.work(job)).toMatchObject({
      state: 'completed',
      counters: { succeeded: 200, costNano: 200 * COST },
    })
    expect(shop.lane.sent).toHaveLength(200)
    expect(done).toBeGreaterThan(10)
    await shop.assertBalanced(job)
  })

  it('in tokens does the same', async () => {
    await open()
    const job = await shop.job({ rows: rows(100), spec: budget({ tokens: 2_000 }) })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(paused.detail).toMatch(/^\d+ of 2000 tokens are used, and the next request may take up to \d+$/)
    const { counters } = await shop.store.jobs.progress(job.jobNo)
    expect(counters.inputTokens + counters.outputTokens).toBeLessThanOrEqual(2_000)
    expect(counters.succeeded * TOKENS).toBeGreaterThan(1_000)
  })

  it('that stops ends the job as failed; a retry after a raise asks the rows that are left', async () => {
    await open()
    const job = await shop.job({ rows: rows(120), spec: budget({ usdNano: WORST, onExceed: 'stop' }) })
    const failed = await shop.work(job)
    expect(failed).toMatchObject({ state: 'failed', reason: 'budget' })
    const done = (await shop.outcomes(job)).length
    expect(done).toBeLessThan(120)
    await shop.store.jobs.set(job.jobNo, { budgetNano: 1_000 * WORST }, 1)
    expect(await retry(shop.jobDeps, failed, {}, failed.specHash)).toBe(120 - done)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 120 } })
  })

  it('is taken out of by no refusal: what was not billed returns its reservation', async () => {
    await open()
    shop.lane.answers(({ time }) => (time === 1 ? fails('rate_limited', { status: 429 }) : topic()))
    const job = await shop.job({ rows: rows(10), spec: budget({ usdNano: WORST + 10 * COST }) })
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, costNano: 10 * COST } })
  })

  it('counts a request that was never answered at its worst case: nobody knows whether it was billed', async () => {
    await open()
    shop.lane.answers(() => fails('timeout'))
    const job = await shop.job({ rows: rows(20), execution: { retries: 9 }, spec: budget({ usdNano: 6 * WORST }) })
    expect(await shop.work(job)).toMatchObject({ state: 'paused', reason: 'budget', counters: { costNano: 0 } })
    expect(shop.lane.sent.length).toBeLessThanOrEqual(9)
    const { doubtful } = await shop.store.budgets.outlook(job.jobNo)
    expect(doubtful.nano).toBeGreaterThan(4 * WORST)
    expect(doubtful.nano).toBeLessThanOrEqual(6 * WORST)
  })

  it('bounds what is in flight from the first request on', async () => {
    await open()
    const gate = Promise.withResolvers<void>()
    let most = 0
    shop.lane.answers(async () => {
      most = Math.max(most, shop.lane.open)
      await gate.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(50), spec: budget({ usdNano: 5 * WORST }) })
    const worker = shop.start(job)
    await until('it sends what may be sent', () => shop.lane.open >= 4)
    gate.resolve()
    await worker.done
    expect(most).toBeLessThanOrEqual(7)
  })

  it('that is set while the job runs is seen at the next beat', async () => {
    await open()
    const job = await shop.job({ rows: rows(400), chunkRows: 50 })
    shop.lane.answers(async () => {
      await new Promise((resolve) => setTimeout(resolve, 40))
      return topic()
    })
    shop.governor.bound('openai/main', { concurrency: 4, limits: NO_LIMITS })
    const worker = shop.start(job, { chunks: 1 })
    await until('rows end', async () => (await shop.outcomes(job)).length > 5)
    await shop.store.jobs.set(job.jobNo, { budgetNano: 1 }, 1)
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'budget' })
    expect((await shop.outcomes(job)).length).toBeLessThan(400)
  })
})

describe('a budget of several workers', () => {
  it('is kept by them together; the last one to need room pauses the job, and no grant stays behind', async () => {
    await open()
    const job = await shop.job({ rows: rows(300), chunkRows: 20, spec: budget({ usdNano: 3 * WORST }) })
    const workers = [shop.start(job, { chunks: 3 }), shop.start(job, { chunks: 3 }), shop.start(job, { chunks: 3 })]
    await Promise.all(workers.map((worker) => worker.done))
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(await spent(job)).toBeLessThanOrEqual(3 * WORST)
    expect(await spent(job)).toBeGreaterThan(2 * WORST - WORST)
    expect(await grants(job)).toEqual({ nano: 0, tokens: 0 })
    await shop.assertBalanced(job)
  })

  it('counts what a killed one had in flight as lost, and its rest is for the others', async () => {
    await open()
    const job = await shop.job({ rows: rows(60), chunkRows: 10, spec: budget({ usdNano: 12 * WORST }) })
    shop.lane.answers(() => new Promise(() => undefined))
    const killed = shop.start(job, { chunks: 2 })
    await until('it has rows in flight', () => shop.lane.open >= 3)
    const inFlight = shop.lane.open
    killed.abandon()
    await killed.done
    expect((await grants(job)).nano).toBeGreaterThan(0)
    shop.lane.answers(() => topic())
    const ended = await shop.work(job)
    const ledger = await shop.store.attempts.ledger(job.jobNo)
    expect(ledger).toMatchObject({ lost: inFlight, open: 0 })
    expect(ledger.costNano).toBeLessThanOrEqual(12 * WORST)
    expect(['completed', 'paused']).toContain(ended.state)
    expect(await grants(job)).toEqual({ nano: 0, tokens: 0 })
  })

  it('is drawn from anew by one that was taken for dead and is not', async () => {
    await open()
    const job = await shop.job({ rows: rows(100), spec: budget({ usdNano: 100 * WORST }) })
    shop.lane.answers(async () => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      return topic()
    })
    const worker = shop.start(job, { chunks: 1 })
    await until('rows end', async () => (await shop.outcomes(job)).length > 10)
    await shop.store.budgets.retire(job.jobNo, worker.id)
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 100 } })
    await shop.assertBalanced(job)
  })
})

describe('a projection', () => {
  it('that passes the budget at its low end pauses the job once; whoever resumes it has seen it', async () => {
    await open()
    const plan = { rows: rows(2_000), chunkRows: 400, spec: budget({ usdNano: 1_000 * COST }) }
    const job = await shop.job(plan)
    shop.lane.answers(async () => {
      await new Promise((resolve) => setTimeout(resolve, 5))
      return topic()
    })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(paused.detail).toMatch(
      /^after \d+ of 2000 rows .* projected \$0\.05\d+ to \$0\.05\d+, over the budget of \$0\.0\d+$/,
    )
    expect((await shop.outcomes(job)).length).toBeLessThan(900)
    await resume(shop.jobDeps, paused)
    const again = await shop.work(job)
    expect(again.detail).toMatch(/are spent, and the next request/)
    expect(await spent(job)).toBeGreaterThan(1_000 * COST - WORST)
  })

  it('leaves a job alone that is to stop: it gets as far as its budget does', async () => {
    await open()
    const job = await shop.job({
      rows: rows(1_000),
      chunkRows: 200,
      spec: budget({ usdNano: 300 * COST, onExceed: 'stop' }),
    })
    const failed = await shop.work(job)
    expect(failed.detail).toMatch(/are spent, and the next request/)
    expect(await spent(job)).toBeGreaterThan(300 * COST - WORST)
  })
})

describe("a tenant's day and month", () => {
  it('pauses its jobs when what they may cost in a day is used up', async () => {
    await open()
    await shop.store.budgets.setDay(1, 2 * WORST)
    const job = await shop.job({ rows: rows(200) })
    const [control] = await shop.store.jobs.controls([job.jobNo])
    expect(control?.caps.dayNano).toBe(2 * WORST)
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(paused.detail).toMatch(/^the tenant's \$0\.00300 a day are used up/)
    expect(await spent(job)).toBeLessThanOrEqual(2 * WORST)
  })

  it('pauses its jobs when what they may cost in a month is used up', async () => {
    await open()
    await shop.store.tenants.set(1, { dayNano: 9 * WORST, monthNano: 2 * WORST })
    const job = await shop.job({ rows: rows(200) })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(paused.detail).toMatch(/^the tenant's \$0\.00300 a month are used up/)
    expect(await spent(job)).toBeLessThanOrEqual(2 * WORST)
  })
})
