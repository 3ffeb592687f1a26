import { afterEach, describe, expect, it } from 'vitest'
import { cancel, pause, resume } from '../../src/job/control.ts'
import { retry } from '../../src/job/retry.ts'
import { NO_LIMITS } from '../../src/limit/demand.ts'
import { hastyRuntime } from './hasty-runtime.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
const open = async (options?: Parameters<typeof openWorkshop>[0]) => {
  shop = await openWorkshop(options)
  return shop
}
afterEach(() => shop.close())

describe('a failure of the whole job', () => {
  it.each([
    ['credentials', 'credentials'],
    ['quota_exhausted', 'quota'],
  ] as const)('%s pauses it with the reason %s, everything done kept', async (cause, reason) => {
    await open()
    shop.lane.answers(({ text }) => (Number(text.slice(4)) < 5 ? topic() : fails(cause, { message: 'no such key' })))
    const job = await shop.job({ rows: rows(40) })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason, detail: 'no such key', wanted: null })
    const outcomes = await shop.outcomes(job)
    expect(outcomes.every((outcome) => outcome.state === 'succeeded')).toBe(true)
    await shop.assertBalanced(job)

    shop.lane.answers(() => topic())
    await resume(shop.jobDeps, paused)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 40, failed: 0 } })
    expect(shop.lane.sent.filter(({ text }) => text === 'row 0')).toHaveLength(1)
    await shop.assertBalanced(job)
  })

  it('sends next to nothing once the key is known to be wrong', async () => {
    await open()
    shop.lane.answers(() => fails('credentials'))
    const job = await shop.job({ rows: rows(200), chunkRows: 50 })
    await shop.work(job)
    expect(shop.lane.sent.length).toBeLessThanOrEqual(8)
  })

  it('over pause_if.failed_over pauses it with `error_rate`', async () => {
    await open()
    shop.lane.answers(({ text }) => (Number(text.slice(4)) % 2 === 0 ? fails('refused') : topic()))
    const job = await shop.job({ rows: rows(100), spec: { pauseIf: { failedOver: 0.2, afterRows: 20 } } })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'error_rate' })
    expect(paused.detail).toMatch(/of \d+ rows failed \(\d+(\.\d)? %\)/)
    expect((await shop.outcomes(job)).length).toBeLessThan(100)
    await shop.assertBalanced(job)
  })

  it('under the share goes on to the end', async () => {
    await open()
    shop.lane.answers(({ text }) => (Number(text.slice(4)) % 10 === 0 ? fails('refused') : topic()))
    const job = await shop.job({ rows: rows(40), spec: { pauseIf: { failedOver: 0.2, afterRows: 20 } } })
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { failed: 4 } })
  })

  it('is its own time-out: the job ends as `failed`, and a retry begins the time anew', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const timeout = { requestMs: 60_000, jobMs: 5_000 }
    const job = await shop.job({ rows: rows(10), execution: { timeout } })
    const worker = shop.start(job)
    await until('the time has passed', () => worker.view.stopping)
    held.resolve()
    await worker.done
    const failed = await shop.reread(job)
    expect(failed).toMatchObject({ state: 'failed', reason: 'timeout' })
    expect(await shop.outcomes(job)).toHaveLength(4)
    await shop.assertBalanced(job)
    expect(await retry(shop.jobDeps, failed, {}, failed.specHash)).toBe(6)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, attempts: 10 } })
    await shop.assertBalanced(job)
  })
})

describe('an outage of the provider', () => {
  it('is no fault of the rows: they wait, and go on', async () => {
    await open()
    let down = true
    shop.lane.answers(() => (down ? fails('connection') : topic()))
    const job = await shop.job({ rows: rows(60), chunkRows: 60, execution: { retries: 20, concurrency: { max: 8 } } })
    const worker = shop.start(job)
    await until('it is seen as one', () => shop.governor.state('openai/main').outage)
    down = false
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 60, failed: 0 } })
    await shop.assertBalanced(job)
  })

  it('pauses the job with `provider_down` when it outlasts all patience, and a resume is given its own chance', async () => {
    await open({ runtime: hastyRuntime(400) })
    shop.lane.answers(() => fails('connection'))
    const job = await shop.job({ rows: rows(40), chunkRows: 40, execution: { retries: 20 } })
    const paused = await shop.work(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'provider_down' })
    await shop.assertBalanced(job)
    shop.lane.answers(() => topic())
    await resume(shop.jobDeps, paused)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 40 } })
    await shop.assertBalanced(job)
  })
})

describe('control from elsewhere', () => {
  it('pauses: rows in flight come home, the others stay pending', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(30) })
    const worker = shop.start(job)
    await until('rows are in flight', () => shop.lane.open > 0)
    await pause(shop.jobDeps, await shop.reread(job))
    expect((await shop.reread(job)).state).toBe('running')
    await until('the worker has heard', () => worker.view.stopping)
    const inFlight = shop.lane.open
    held.resolve()
    expect(await worker.done).toBe('stood_still')
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'user' })
    expect(await shop.outcomes(job)).toHaveLength(inFlight)
    expect((await shop.queue.depth(job.jobNo)).ready).toBe(0)
    await shop.assertBalanced(job)
  })

  it('pauses and resumes while the worker drains: nothing is lost, and the worker goes on', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(40), chunkRows: 10 })
    const worker = shop.start(job, { chunks: 2 })
    await until('rows are in flight', () => shop.lane.open > 0)
    await pause(shop.jobDeps, await shop.reread(job))
    await until('the worker has heard', () => worker.view.stopping)
    await resume(shop.jobDeps, await shop.reread(job))
    held.resolve()
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 40 } })
    expect(shop.lane.sent).toHaveLength(40)
    await shop.assertBalanced(job)
  })

  it('cancels: what is in flight is kept, every other row is `cancelled`', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(30) })
    const worker = shop.start(job)
    await until('rows are in flight', () => shop.lane.open > 0)
    await cancel(shop.jobDeps, await shop.reread(job))
    await until('the worker has heard', () => worker.view.stopping)
    const inFlight = shop.lane.open
    held.resolve()
    await worker.done
    const ended = await shop.reread(job)
    expect(ended).toMatchObject({ state: 'cancelled', openChunks: 0 })
    expect(ended.counters).toMatchObject({ succeeded: inFlight, cancelled: 30 - inFlight })
    await shop.assertBalanced(job)
  })

  it('sets the ceiling of concurrency of a running job', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(30), chunkRows: 30 })
    const worker = shop.start(job)
    await until('rows are in flight', () => shop.lane.open === 4)
    await shop.store.jobs.set(job.jobNo, { concurrency: 2 }, shop.runtime.now())
    await until('the worker has heard', () => shop.governor.state('openai/main').concurrency === 2)
    let most = 0
    shop.lane.answers(async () => {
      most = Math.max(most, shop.lane.open)
      await Promise.resolve()
      return topic()
    })
    held.resolve()
    await worker.done
    expect((await shop.reread(job)).state).toBe('completed')
    expect(most).toBeLessThanOrEqual(4)
    expect(shop.governor.state('openai/main').inFlight).toBe(0)
  })
})

describe('leaving', () => {
  it('finishes what is in flight, takes no more, and gives the chunks back', async () => {
    await open()
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(30) })
    const worker = shop.start(job)
    await until('rows are in flight', () => shop.lane.open > 0)
    const inFlight = shop.lane.open
    worker.stop()
    await until('the worker has heard', () => worker.view.stopping)
    held.resolve()
    expect(await worker.done).toBe('left')
    expect(shop.lane.sent).toHaveLength(inFlight)
    expect(await shop.reread(job)).toMatchObject({ state: 'running', wanted: null })
    expect((await shop.store.jobs.progress(job.jobNo)).chunksLeased).toBe(0)
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ leased: 0, ready: 6 })
    await shop.assertBalanced(job)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 30, attempts: 30 } })
    await shop.assertBalanced(job)
  })

  it('hangs up on rows that do not come home in time', async () => {
    await open({ runtime: hastyRuntime(100) })
    shop.lane.answers(() => Promise.withResolvers<never>().promise)
    const job = await shop.job({ rows: rows(10) })
    const worker = shop.start(job)
    await until('rows are in flight', () => shop.lane.open > 0)
    const inFlight = shop.lane.open
    worker.stop()
    expect(await worker.done).toBe('left')
    expect(shop.lane.open).toBe(0)
    shop.lane.answers(() => topic())
    await shop.work(job)
    expect(await shop.store.attempts.ledger(job.jobNo)).toMatchObject({ lost: inFlight, booked: 10, open: 0 })
    await shop.assertBalanced(job)
  })

  it('leaves no listener and no timer behind', async () => {
    await open()
    const job = await shop.job({ rows: rows(10) })
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const timersBefore = timers()
    shop.lane.answers(({ text }) => (text === 'row 9' ? fails('timeout', { retryAfterMs: 3_600_000 }) : topic()))
    const worker = shop.start(job)
    await until('one row backs off', async () => (await shop.outcomes(job)).length === 9)
    worker.stop()
    expect(await worker.done).toBe('left')
    const before = shop.lane.sent.length
    // The governor has room, and the row of that worker is gone with it.
    shop.governor.bound('openai/main', { concurrency: 3, limits: NO_LIMITS })
    shop.lane.answers(() => topic())
    expect(shop.lane.sent).toHaveLength(before)
    expect(timers()).toBeLessThanOrEqual(timersBefore)
    await shop.work(job)
    expect((await shop.reread(job)).counters.succeeded).toBe(10)
    await shop.assertBalanced(job)
  })
})
