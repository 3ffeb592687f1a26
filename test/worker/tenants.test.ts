import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { admitWaiting, cancel } from '../../src/job/control.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'
import { topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** Answers only after `release`. */
function hold() {
  const held = Promise.withResolvers<void>()
  shop.lane.answers(async () => {
    await held.promise
    return topic()
  })
  return () => held.resolve()
}

async function addTenants(count: number): Promise<readonly number[]> {
  const numbers: number[] = []
  for (let n = 0; n < count; n += 1)
    numbers.push((await shop.store.tenants.add(`team-${n}`, NO_CAPS, 1))?.tenantNo as number)
  return numbers
}

describe('a worker of many tenants', () => {
  it('takes one chunk in of each tenant beyond its own number, and of no tenant two', async () => {
    const release = hold()
    const big = await shop.job({ rows: rows(100) })
    const small = []
    for (const tenantNo of await addTenants(4)) small.push(await shop.job({ rows: rows(20), tenantNo }))
    const worker = shop.start(null, { chunks: 1, untilIdle: true })
    await until('it holds one of each', () => worker.view.jobs === 5)
    expect(worker.view.chunks).toBe(5)
    release()
    await worker.done
    for (const job of [big, ...small]) expect(await shop.reread(job)).toMatchObject({ state: 'completed' })
  })

  it('works on what it has taken in, though another job that came with it is still being taken up', async () => {
    const slow = Promise.withResolvers<void>()
    const [one, two] = (await addTenants(2)) as [number, number]
    const first = await shop.job({ rows: rows(5), tenantNo: one })
    const second = await shop.job({ rows: rows(5), tenantNo: two })
    shop.beforeTakeUp = (job) => (job.jobNo === first.jobNo ? slow.promise : Promise.resolve())
    const worker = shop.start(null, { chunks: 2, untilIdle: true })
    await until('the second job is done', async () => (await shop.outcomes(second)).length === 5)
    expect(await shop.outcomes(first)).toEqual([])
    slow.resolve()
    await worker.done
    expect(await shop.reread(first)).toMatchObject({ state: 'completed' })
  })

  it('gives a tenant no more slots for its urgent jobs, and more for its weight', async () => {
    const [one, two] = (await addTenants(2)) as [number, number]
    await shop.store.tenants.set(two, { weight: 3 })
    const chunk = { chunkRows: 400, execution: { concurrency: { max: 4 } } }
    const texts = (of: string) => rows(400).map((text) => `${of} ${text}`)
    await shop.job({ rows: texts('modest'), ...chunk, tenantNo: one, spec: { priority: 'high' } })
    await shop.job({ rows: texts('heavy'), ...chunk, tenantNo: two })
    const release = hold()
    const worker = shop.start(null, { chunks: 2, untilIdle: true })
    await until('both are worked on', () => worker.view.chunks === 2 && shop.lane.open === 4)
    release()
    await worker.done
    // From when it is known how much the requests of each take.
    const early = shop.lane.sent.slice(100, 300).filter(({ text }) => text.startsWith('heavy'))
    expect(early.length).toBeGreaterThan(140)
    expect(early.length).toBeLessThan(160)
  })

  it('keeps to the requests in flight that a tenant may have, and hears of another cap', async () => {
    await shop.store.tenants.set(DEFAULT_TENANT, { concurrency: 2 })
    const release = hold()
    const job = await shop.job({ rows: rows(40) })
    const worker = shop.start(job)
    await until('as many as may be are in flight', () => shop.lane.open === 2)
    await shop.store.tenants.set(DEFAULT_TENANT, { concurrency: 3 })
    await until('one more is', () => shop.lane.open === 3)
    await shop.store.tenants.set(DEFAULT_TENANT, { concurrency: null })
    release()
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed' })
  })
})

describe('a tenant that runs as many jobs as it may', () => {
  it('has the others wait, and begin as those before them end', async () => {
    await shop.store.tenants.set(DEFAULT_TENANT, { jobs: 1 })
    const first = await shop.job({ rows: rows(10) })
    const second = await shop.job({ rows: rows(10) })
    const urgent = await shop.job({ rows: rows(10), spec: { priority: 'high' } })
    expect(first.waits).toBeUndefined()
    expect([second, urgent]).toMatchObject([
      { state: 'queued', waits: true },
      { state: 'queued', waits: true },
    ])
    expect(await shop.queue.depth(second.jobNo)).toMatchObject({ ready: 0 })
    await shop.start(null, { untilIdle: true }).done
    const ends = await Promise.all([first, urgent, second].map(shop.reread))
    expect(ends.map(({ state }) => state)).toEqual(['completed', 'completed', 'completed'])
    const times = ends.map(({ endedAtMs }) => endedAtMs as number)
    expect(times.toSorted((a, b) => a - b)).toEqual(times)
    const begun = ends.map(({ startedAtMs }) => startedAtMs as number)
    expect(begun[1]).toBeGreaterThanOrEqual(times[0] as number)
    expect(begun[2]).toBeGreaterThanOrEqual(times[1] as number)
  })

  it('lets one begin when its cap is raised, and one that waits can be cancelled', async () => {
    await shop.store.tenants.set(DEFAULT_TENANT, { jobs: 0 })
    const [one, two] = [await shop.job({ rows: rows(10) }), await shop.job({ rows: rows(10) })]
    await cancel(shop.jobDeps, two)
    expect(await shop.reread(two)).toMatchObject({ state: 'cancelled', counters: { cancelled: 10 } })
    await shop.store.tenants.set(DEFAULT_TENANT, { jobs: 1 })
    await admitWaiting(shop.jobDeps, null)
    expect((await shop.reread(one)).waits).toBeUndefined()
    expect(await shop.work(one)).toMatchObject({ state: 'completed' })
  })
})
