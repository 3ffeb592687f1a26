import { beforeEach, expect, it } from 'vitest'
import type { StoreTx } from '../../src/domain/store-tx.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { newJob, type StoreUnderTest, T } from './store-fixture.ts'

/** Transactions: all or nothing, one after the other, seen by everybody once they have committed. */
export function transactionsConformance(under: () => StoreUnderTest): void {
  let store: Store
  let jobNo: number
  beforeEach(async () => {
    store = under().store
    jobNo = (await store.jobs.create(newJob())).job.jobNo
  })
  const append = (side: Store, tx: StoreTx, n: number) => side.events.append(tx, jobNo, 'note', { n }, T)
  const notes = async (side: Store = store) => (await side.events.list(jobNo, 0, 1_000)).map(({ seq }) => seq)

  it('takes everything back when the work throws, and goes on', async () => {
    const failing = store.write(async (tx) => {
      await append(store, tx, 1)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await notes()).toStrictEqual([])
    await store.write((tx) => append(store, tx, 2))
    expect(await notes()).toStrictEqual([1])
  })

  it('shows a reader nothing before the commit, and everything after it', async () => {
    const another = await under().openAnother()
    await store.write(async (tx) => {
      await append(store, tx, 1)
      expect(await notes()).toStrictEqual([])
      expect(await notes(another)).toStrictEqual([])
    })
    expect(await notes()).toStrictEqual([1])
    expect(await notes(another)).toStrictEqual([1])
  })

  it('answers many readers at once', async () => {
    const { id } = (await store.jobs.getByNo(jobNo))!
    const reads = Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0
        ? store.jobs.progress(jobNo).then(({ job }) => job.id)
        : store.jobs.getByNo(jobNo).then((job) => job?.id),
    )
    expect(new Set(await Promise.all(reads))).toStrictEqual(new Set([id]))
  })

  it('runs one transaction at a time, whatever they wait for inside', async () => {
    let inside = 0
    const work = async (tx: StoreTx) => {
      inside += 1
      expect(inside).toBe(1)
      await new Promise((resolve) => setImmediate(resolve))
      await append(store, tx, 1)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 20 }, () => store.write(work)))
    expect(await notes()).toHaveLength(20)
  })

  it('refuses a transaction inside a transaction instead of waiting for itself', async () => {
    await expect(store.write(() => store.write(async () => 1))).rejects.toThrow('inside another')
    await expect(store.write(() => store.jobs.want(jobNo, 'pause'))).rejects.toThrow('inside another')
    await store.jobs.want(jobNo, 'pause')
  })

  it('refuses a transaction that has ended', async () => {
    const ended = await store.write(async (tx) => tx)
    await expect(async () => append(store, ended, 1)).rejects.toThrow('after its end')
    await store.write(async () => {
      await expect(async () => append(store, ended, 1)).rejects.toThrow('after its end')
    })
  })

  it('lets two processes write at the same time, one after the other', async () => {
    const another = await under().openAnother()
    const writes = Array.from({ length: 60 }, (_, n) => {
      const side = n % 2 === 0 ? store : another
      return side.write((tx) => append(side, tx, n))
    })
    await Promise.all(writes)
    expect(await notes()).toHaveLength(60)
  })

  it('takes care of its ballast, and says that it is closed', async () => {
    await store.freeBallast()
    await store.freeBallast()
    await store.restoreBallast()
    await store.restoreBallast()
    const another = await under().openAnother()
    await another.close()
    await expect(another.jobs.list(DEFAULT_TENANT, { limit: 1 })).rejects.toMatchObject({ kind: 'closed' })
    await expect(another.write(async () => 1)).rejects.toMatchObject({ kind: 'closed' })
    await another.close()
  })
}
