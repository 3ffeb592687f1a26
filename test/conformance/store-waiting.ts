import { beforeEach, expect, it } from 'vitest'
import type { Priority } from '../../src/domain/job.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { newJob, type StoreUnderTest, T } from './store-fixture.ts'

/** Jobs that wait while their tenant runs as many as it may. */
export function waitingConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  /** As a job is queued: its state and its turn are one transaction. */
  const admit = (jobNo: number, priority: Priority = 'normal', from = store) =>
    from.write(async (tx) => {
      await from.jobs.change(tx, jobNo, ['created'], { to: 'queued', atMs: T })
      return from.jobs.admit(tx, jobNo, priority)
    })
  const end = (jobNo: number) =>
    store.write((tx) => store.jobs.change(tx, jobNo, ['queued'], { to: 'cancelled', atMs: T }))
  const inTurn = async (tenantNo: number | null = null) => (await store.jobs.inTurn(tenantNo)).map(({ jobNo }) => jobNo)
  const jobs = async (count: number, tenantNo = DEFAULT_TENANT) => {
    const made: number[] = []
    for (let n = 0; n < count; n += 1) made.push((await store.jobs.create(newJob({ tenantNo }))).job.jobNo)
    return made as [number, number, number, number]
  }

  it('lets any number of jobs have their turn where there is no cap', async () => {
    for (const jobNo of await jobs(3)) expect(await admit(jobNo)).toBe(true)
    expect(await inTurn()).toEqual([])
  })

  it('lets as many have it as the cap says, and then the most urgent, and of these the oldest', async () => {
    await store.tenants.set(DEFAULT_TENANT, { jobs: 1 })
    const [first, low, high, normal] = await jobs(4)
    expect(await admit(first)).toBe(true)
    expect(await admit(low, 'low')).toBe(false)
    expect(await admit(high, 'high')).toBe(false)
    expect(await admit(normal)).toBe(false)
    expect(await admit(first)).toBe(true)
    expect((await store.jobs.getByNo(low))?.waits).toBe(true)
    expect((await store.jobs.getByNo(first))?.waits).toBeUndefined()
    expect(await inTurn()).toEqual([])
    await end(first)
    expect(await inTurn()).toEqual([high])
    expect(await admit(low, 'low')).toBe(false)
    expect(await admit(high, 'high')).toBe(true)
    expect((await store.jobs.getByNo(high))?.waits).toBeUndefined()
    await store.tenants.set(DEFAULT_TENANT, { jobs: 2 })
    expect(await inTurn()).toEqual([normal])
    await store.jobs.set(low, { priority: 'high' }, T)
    expect(await inTurn()).toEqual([low])
    await store.tenants.set(DEFAULT_TENANT, { jobs: null })
    expect(await inTurn()).toEqual([low, normal])
  })

  it('counts the jobs of each tenant by themselves', async () => {
    await under().addTenant(2)
    await store.tenants.set(DEFAULT_TENANT, { jobs: 1 })
    await store.tenants.set(2, { jobs: 1 })
    const [one, two] = await jobs(2)
    const [other, another] = await jobs(2, 2)
    expect([await admit(one), await admit(other)]).toEqual([true, true])
    expect([await admit(two), await admit(another)]).toEqual([false, false])
    await end(one)
    await end(other)
    expect(await inTurn(2)).toEqual([another])
    expect((await inTurn()).toSorted()).toEqual([two, another].toSorted())
  })

  it('lets no more in when many ask at once', async () => {
    await store.tenants.set(DEFAULT_TENANT, { jobs: 2 })
    const other = await under().openAnother()
    const made = await jobs(4)
    const asked = made.map((jobNo, n) => admit(jobNo, 'normal', n % 2 === 0 ? store : other))
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(2)
  })
}
