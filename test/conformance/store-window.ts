import { beforeEach, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { claim, completeChunk, newJob, outcomeOf, queuedJob, type StoreUnderTest, segmentOf } from './store-fixture.ts'

/** How a job's chunks come into the queue, a few at a time. */
export function windowConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const next = async (jobNo: number, limit: number, of: Store = store) =>
    (await of.write((tx) => of.chunks.nextReady(tx, jobNo, limit))).refs.map((ref) => ref.chunkNo)
  const rewind = (jobNo: number) => store.write((tx) => store.chunks.rewind(tx, jobNo))

  it('gives each ready or parked chunk once, in order, and begins again where that is asked', async () => {
    const { jobNo } = await queuedJob(store, [1, 1, 1, 1, 1, 1])
    await completeChunk(store, await claim(store, jobNo, 1), [outcomeOf(1)])
    const parked = await claim(store, jobNo, 2)
    await store.write((tx) => store.chunks.release(tx, parked, 'parked'))
    await claim(store, jobNo, 3)
    expect(await next(jobNo, 2)).toStrictEqual([0, 2])
    expect(await next(jobNo, 1)).toStrictEqual([4])
    expect(await next(jobNo, 9)).toStrictEqual([5])
    expect(await next(jobNo, 9)).toStrictEqual([])
    await rewind(jobNo)
    expect(await next(jobNo, 9)).toStrictEqual([0, 2, 4, 5])
  })

  it('goes on with the chunks that intake adds', async () => {
    const { job } = await store.jobs.create(newJob())
    await store.chunks.appendSegment(segmentOf(job.jobNo, [1, 1]))
    expect(await next(job.jobNo, 9)).toStrictEqual([0, 1])
    await store.chunks.appendSegment(segmentOf(job.jobNo, [1], { segmentNo: 1, firstChunk: 2, firstRow: 2 }))
    expect(await next(job.jobNo, 9)).toStrictEqual([2])
  })

  it('moves on only with its transaction', async () => {
    const { jobNo } = await queuedJob(store, [1, 1])
    const failing = store.write(async (tx) => {
      await store.chunks.nextReady(tx, jobNo, 1)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await next(jobNo, 1)).toStrictEqual([0])
  })

  it('gives two processes that ask at once different chunks', async () => {
    const another = await under().openAnother()
    const { jobNo } = await queuedJob(
      store,
      Array.from({ length: 20 }, () => 1),
    )
    const asked = Array.from({ length: 20 }, (_, n) => next(jobNo, 1, n % 2 === 0 ? store : another))
    const given = (await Promise.all(asked)).flat().sort((a, b) => a - b)
    expect(given).toStrictEqual(Array.from({ length: 20 }, (_, n) => n))
  })

  it('says which priority was set for the job', async () => {
    const { jobNo } = await queuedJob(store, [1, 1])
    const priority = async () => (await store.write((tx) => store.chunks.nextReady(tx, jobNo, 1))).priority
    expect(await priority()).toBeNull()
    await store.jobs.set(jobNo, { priority: 'high' }, 0)
    expect(await priority()).toBe('high')
  })
}
