import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { fallback, openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const write = { path: 'out.csv', includeInput: true }

describe('a bound on the rows in flight', () => {
  it('holds over all jobs, follows what it is changed to, and lets each account have its turn', async () => {
    let most = 0
    shop.rowsAtOnce = 3
    shop.lane.answers(async () => {
      most = Math.max(most, shop.lane.open)
      await new Promise((resolve) => setTimeout(resolve, 1))
      return topic()
    })
    const other = fallback('other/model', []).target
    const one = await shop.job({ rows: rows(60), execution: { cache: 'off' } })
    const base = { target: other, params: {}, price: null, fallback: [] } as never
    const two = await shop.job({ rows: rows(60), spec: { name: 'two', model: base }, execution: { cache: 'off' } })
    const worker = shop.start(null, { chunks: 10, untilIdle: true })
    await until('some rows have ended', async () => (await shop.store.jobs.progress(two.jobNo)).counters.succeeded > 10)
    expect(most).toBe(3)
    // Neither account had to wait for the other's end.
    expect((await shop.store.jobs.progress(one.jobNo)).counters.succeeded).toBeLessThan(60)
    const before = shop.lane.sent.slice(10, 30).map(({ model }) => model)
    expect(new Set(before).size).toBe(2)
    shop.rowsAtOnce = 8
    expect(await worker.done).toBe('stood_still')
    expect(most).toBeGreaterThan(3)
    expect(most).toBeLessThanOrEqual(8)
    for (const job of [one, two]) await shop.assertBalanced(job)
  })
})

describe('a worker for any job', () => {
  it('stays until nothing is left, where it was told so, and takes what comes meanwhile', async () => {
    const first = await shop.job({ rows: rows(10) })
    const worker = shop.start(null, { untilIdle: true })
    const second = await shop.job({ rows: rows(30), execution: { cache: 'off' } })
    expect(await worker.done).toBe('stood_still')
    for (const job of [first, second]) expect((await shop.reread(job)).state).toBe('completed')
  })

  it('leaves jobs alone that are paused', async () => {
    shop.lane.answers(() => fails('credentials'))
    const job = await shop.job({ rows: rows(4) })
    expect(await shop.start(null, { untilIdle: true }).done).toBe('stood_still')
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'credentials' })
  })

  it('lets a pause come about that another wanted, however many messages of the job wait and however many workers there are', async () => {
    const job = await shop.job({ rows: rows(1_000), chunkRows: 2, execution: { cache: 'off' } })
    await shop.store.jobs.want(job.jobNo, 'pause', 'user', 'paused by the user')
    const workers = [1, 2, 3, 4].map(() => shop.start(null, { chunks: 5 }))
    await until('it is paused', async () => (await shop.reread(job)).state === 'paused')
    for (const worker of workers) worker.stop()
    for (const worker of workers) await worker.done
    expect(shop.lane.sent).toEqual([])
    expect(await shop.reread(job)).toMatchObject({ reason: 'user', wanted: null })
  })

  it('drains and ends with `store_version` when the database has moved beyond it', async () => {
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async () => {
      await held.promise
      return topic()
    })
    const job = await shop.job({ rows: rows(40) })
    const worker = shop.start(null)
    await until('rows are in flight', () => shop.lane.open > 0)
    shop.sayAlive = async () => {
      throw new SluiceError('store_version', 'a newer sluice has been here')
    }
    await until('it leaves', () => worker.view.leaving)
    const inFlight = shop.lane.open
    held.resolve()
    await expect(worker.done).rejects.toMatchObject({ code: 'store_version' })
    // What was in flight was brought home and written down; the rest is everybody's.
    expect((await shop.store.jobs.progress(job.jobNo)).counters.succeeded).toBe(inFlight)
    expect((await shop.store.attempts.ledger(job.jobNo)).open).toBe(0)
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ leased: 0 })
    await shop.assertBalanced(job)
  })
})

describe('the end of a round', () => {
  /** Results that are written until the test says so, or the finalizer is called off. */
  function slowResults() {
    const writing = { now: 0, most: 0, begun: 0, calledOff: 0 }
    const done = Promise.withResolvers<void>()
    shop.writeResults = async (_job, _spec, signal) => {
      writing.begun += 1
      writing.now += 1
      writing.most = Math.max(writing.most, writing.now)
      try {
        await new Promise<void>((resolve, reject) => {
          void done.promise.then(resolve)
          signal.addEventListener('abort', () => {
            writing.calledOff += 1
            reject(signal.reason as Error)
          })
        })
      } finally {
        writing.now -= 1
      }
    }
    return { writing, done }
  }

  it('is brought about by one worker at a time; when it is killed in the middle another takes over', async () => {
    const { writing, done } = slowResults()
    const job = await shop.job({ rows: rows(10), spec: { write } })
    const workers = [shop.start(null), shop.start(null), shop.start(null)]
    await until('one writes', () => writing.now === 1)
    const first = workers.find((worker) => worker.view.chunks > 0)
    first?.abandon()
    await first?.done
    await until('another writes', () => writing.begun === 2)
    expect(writing).toMatchObject({ most: 1, now: 1, calledOff: 1 })
    expect(await shop.reread(job)).toMatchObject({ state: 'finalizing' })
    done.resolve()
    await until('it has ended', async () => (await shop.reread(job)).state === 'completed')
    expect(writing.begun).toBe(2)
    for (const worker of workers) worker.stop()
    await Promise.all(workers.map((worker) => worker.done))
  })

  it('is called off by a worker that has lost its message, and begun anew only then', async () => {
    const { writing, done } = slowResults()
    const job = await shop.job({ rows: rows(10), spec: { write } })
    const slept = shop.start(null)
    await until('it writes', () => writing.now === 1)
    // Its lease has run out, and another took the message; who died over it, so that it comes back.
    await shop.queue.reclaim(async () => true)
    await shop.queue.fetch('another', 1)
    await until('it has noticed', () => writing.calledOff === 1)
    await until('it has begun anew', () => writing.begun === 2)
    expect(writing.most).toBe(1)
    done.resolve()
    await until('it has ended', async () => (await shop.reread(job)).state === 'completed')
    slept.stop()
    await slept.done
    expect(writing).toMatchObject({ begun: 2, most: 1 })
  })

  it('holds up no rows of other jobs', async () => {
    const { writing, done } = slowResults()
    const slow = await shop.job({ rows: rows(5), spec: { write } })
    const worker = shop.start(null)
    await until('its results are being written', () => writing.now === 1)
    const other = await shop.job({ rows: rows(30), execution: { cache: 'off' } })
    await until('the other job has ended', async () => (await shop.reread(other)).state === 'completed')
    expect(await shop.reread(slow)).toMatchObject({ state: 'finalizing' })
    done.resolve()
    worker.stop()
    await worker.done
    expect(await shop.reread(slow)).toMatchObject({ state: 'completed' })
  })

  it('that is not done when a worker must go is given to another', async () => {
    const { writing } = slowResults()
    const job = await shop.job({ rows: rows(5), spec: { write } })
    const worker = shop.start(null)
    await until('its results are being written', () => writing.now === 1)
    worker.stop()
    expect(await worker.done).toBe('left')
    expect(writing.calledOff).toBe(1)
    expect(await shop.reread(job)).toMatchObject({ state: 'finalizing' })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 1, leased: 0 })
    shop.writeResults = async () => undefined
    expect(await shop.work(job)).toMatchObject({ state: 'completed' })
  })
})
