import { beforeEach, expect, it } from 'vitest'
import { failure } from '../../src/domain/failure.ts'
import type { NewPart } from '../../src/store/role/batches.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { answered, collect, expired, kindOf, newPart, packed, park, planned } from './batches-fixture.ts'
import {
  answerRows,
  bothSums,
  claim,
  failedOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

/** Parts, and the chunks that wait for them. */
export function partsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const refs = (jobNo: number, ...chunkNos: readonly number[]) => chunkNos.map((chunkNo) => ({ jobNo, chunkNo }))
  const state = async (jobNo: number, chunkNo: number) => (await store.chunks.get({ jobNo, chunkNo }))!.state
  const ids = (parts: readonly Pick<NewPart, 'id'>[]) => parts.map(({ id }) => id)
  const close = (parts: readonly Pick<NewPart, 'id'>[]) => store.write((tx) => store.batches.close(tx, ids(parts)))
  const cancelOpen = (jobNo: number, chunkNo: number, rows: readonly number[]) => {
    const pending = rows.map((index) => ({ index, id: String(index) }))
    return store.write((tx) => store.chunks.cancelOpen(tx, { jobNo, chunkNo }, pending, T))
  }

  it('gives back what was packed to the letter, whatever rows it has', async () => {
    const { jobNo } = await queuedJob(store, [3_000, 1])
    const sparse = Array.from({ length: 1_500 }, (_, n) => n * 2)
    const parts = [
      newPart({ jobNo, chunkNo: 0 }, sparse, { round: 3, inputTokens: 7, worst: { nano: 8, tokens: 9 } }),
      newPart({ jobNo, chunkNo: 0 }, [1, 3, 4, 5, 2_999], { kind: kindOf('big') }),
    ]
    await park(store, await claim(store, jobNo, 0), parts)
    const stored = parts.map(({ tenantNo: _, ...part }) => {
      return { ...part, kindKey: part.kind.key, state: 'packed', shardId: null, results: null, failure: null }
    })
    expect(await store.batches.ofChunk({ jobNo, chunkNo: 0 })).toStrictEqual(stored)
    expect(await store.batches.packed(DEFAULT_TENANT, kindOf('big').key, 9)).toStrictEqual([stored[1]])
    expect(await state(jobNo, 0)).toBe('parked')
  })

  it('says what waits, by tenant and kind, of jobs that go on, and whether more is to come', async () => {
    await under().addTenant(7)
    const one = await queuedJob(store, [4, 4])
    const two = await queuedJob(store, [4], { tenantNo: 7 })
    await packed(store, { jobNo: one.jobNo, chunkNo: 0 }, [0, 1, 2], { packedAtMs: T + 5 })
    await packed(store, { jobNo: two.jobNo, chunkNo: 0 }, [0], { tenantNo: 7 })
    const waiting = async () => {
      const all = await store.batches.waiting()
      return all.toSorted((a, b) => a.tenantNo - b.tenantNo)
    }
    const own = { kind: kindOf(), parts: 1, requests: 3, bytes: 300, inputTokens: 120, oldestPackedMs: T + 5 }
    expect(await waiting()).toStrictEqual([
      { tenantNo: DEFAULT_TENANT, ...own, moreToCome: true },
      { tenantNo: 7, ...own, requests: 1, bytes: 100, inputTokens: 40, oldestPackedMs: T, moreToCome: false },
    ])
    const held = await claim(store, one.jobNo, 1)
    expect((await waiting())[0]).toMatchObject({ parts: 1, moreToCome: true })
    await park(store, held, [newPart({ jobNo: one.jobNo, chunkNo: 1 }, [4, 5])])
    expect((await waiting())[0]).toMatchObject({ parts: 2, requests: 5, oldestPackedMs: T, moreToCome: false })
    await store.jobs.want(one.jobNo, 'pause', 'user')
    expect((await waiting()).map(({ tenantNo }) => tenantNo)).toStrictEqual([7])
    expect(await store.batches.packed(DEFAULT_TENANT, kindOf().key, 9)).toStrictEqual([])
    await store.jobs.want(one.jobNo, null)
    const parts = await store.batches.packed(DEFAULT_TENANT, kindOf().key, 1)
    expect(parts.map(({ chunkNo }) => chunkNo)).toStrictEqual([1])
  })

  it('does not put chunks into the queue of which something is out, until it is over', async () => {
    const { jobNo } = await queuedJob(store, [2, 2, 2])
    const part = await packed(store, { jobNo, chunkNo: 0 }, [0, 1])
    // A queue was rebuilt, and somebody died over the chunk.
    await claim(store, jobNo, 0)
    await store.write((tx) => store.chunks.takeBack(tx, jobNo))
    expect(await state(jobNo, 0)).toBe('ready')
    expect(await store.chunks.open(jobNo)).toStrictEqual(refs(jobNo, 1, 2))
    const next = await store.write((tx) => store.chunks.nextReady(tx, jobNo, 1))
    expect(next.refs).toStrictEqual(refs(jobNo, 1))
    expect((await store.batches.waiting())[0]?.moreToCome).toBe(true)
    const shard = await planned(store, [part])
    expect(await store.chunks.open(jobNo)).toStrictEqual(refs(jobNo, 1, 2))
    expect(await collect(store, shard, expired([part]))).toStrictEqual(refs(jobNo, 0))
    expect(await store.chunks.open(jobNo)).toStrictEqual(refs(jobNo, 0, 1, 2))
  })

  it('has nothing of parts to lose when their chunk is claimed', async () => {
    const { jobNo } = await queuedJob(store, [2])
    await packed(store, { jobNo, chunkNo: 0 }, [0, 1])
    expect(await store.chunks.claim({ jobNo, chunkNo: 0 }, 'next', true, T)).toMatchObject({ lost: 0 })
    expect(await store.batches.ofChunk({ jobNo, chunkNo: 0 })).toMatchObject([{ state: 'packed' }])
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ attempts: 0, open: 0 })
  })

  it('closes parts with what was booked, and none that is out', async () => {
    const { jobNo } = await queuedJob(store, [4])
    const held = await claim(store, jobNo, 0)
    const parts = [newPart(held, [0]), newPart(held, [1]), newPart(held, [2])]
    await park(store, held, parts)
    await collect(store, await planned(store, parts.slice(0, 1)), answered(parts.slice(0, 1)))
    await collect(store, await planned(store, parts.slice(1, 2)), expired(parts.slice(1, 2)))
    await expect(close(parts)).rejects.toMatchObject({ code: 'internal' })
    expect(await store.batches.ofChunk(held)).toHaveLength(3)
    await close(parts.slice(0, 2))
    await close(parts.slice(0, 2))
    expect(ids(await store.batches.ofChunk(held))).toStrictEqual(ids(parts.slice(2)))
    await planned(store, parts.slice(2))
    await expect(close(parts.slice(2))).rejects.toMatchObject({ code: 'internal' })
  })

  it('lets results be booked of a job that is paused, ending or over, and nothing else', async () => {
    const { jobNo } = await queuedJob(store, [2, 2, 2])
    const parts = [await packed(store, { jobNo, chunkNo: 0 }, [0, 1]), await packed(store, { jobNo, chunkNo: 1 }, [2])]
    await collect(store, await planned(store, parts.slice(0, 1)), answered(parts.slice(0, 1)))
    const settle = (chunkNo: number) => store.chunks.claim({ jobNo, chunkNo }, 'w', false, T, 'settle')
    await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'paused', atMs: T }))
    await store.jobs.want(jobNo, 'cancel')
    expect(await store.batches.toSettle(jobNo, 9)).toStrictEqual(refs(jobNo, 0))
    for (const chunkNo of [1, 2]) expect(await settle(chunkNo)).toBeNull()
    const claimed = await settle(0)
    expect(claimed).toMatchObject({ lost: 0, job: { state: 'paused', wanted: 'cancel' }, chunk: { state: 'leased' } })
    expect(await store.batches.toSettle(jobNo, 9)).toStrictEqual([])
    await store.write((tx) => store.chunks.release(tx, claimed!.chunk, 'parked'))
    expect(await store.batches.toSettle(jobNo, 9)).toStrictEqual(refs(jobNo, 0))
    await close(parts.slice(0, 1))
    expect(await settle(0)).toBeNull()
    expect(await store.batches.toSettle(jobNo, 9)).toStrictEqual([])
  })

  it('cancels no chunk of which a provider has something, or has answered', async () => {
    const { jobNo } = await queuedJob(store, [1, 1, 1, 2])
    const parts = []
    for (const chunkNo of [0, 1, 2, 3]) parts.push(await packed(store, { jobNo, chunkNo }, [chunkNo]))
    const [placed, back, void_] = parts as [NewPart, NewPart, NewPart]
    await planned(store, [placed])
    await collect(store, await planned(store, [back]), answered([back]))
    await collect(store, await planned(store, [void_]), expired([void_]))
    expect(await cancelOpen(jobNo, 0, [0])).toBe(false)
    expect(await cancelOpen(jobNo, 1, [1])).toBe(false)
    expect(await state(jobNo, 0)).toBe('parked')
    expect(await cancelOpen(jobNo, 2, [2])).toBe(true)
    // Packed, and never sent.
    expect(await cancelOpen(jobNo, 3, [3, 4])).toBe(true)
    expect(await cancelOpen(jobNo, 3, [])).toBe(true)
    for (const chunkNo of [2, 3]) expect(await store.batches.ofChunk({ jobNo, chunkNo })).toStrictEqual([])
    expect(await store.batches.waiting()).toStrictEqual([])
    expect((await store.budgets.outlook(jobNo)).reserved).toStrictEqual({ nano: 2_000, tokens: 220 })
    expect((await store.jobs.progress(jobNo)).counters).toMatchObject({ cancelled: 3 })
  })

  it('completes no chunk of which a part is open', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const part = await packed(store, { jobNo, chunkNo: 0 }, [0])
    await collect(store, await planned(store, [part]), answered([part]))
    const held = await claim(store, jobNo, 0)
    await answerRows(store, held, [outcomeOf(0)])
    const complete = () => store.write((tx) => store.chunks.complete(tx, held, T))
    await expect(complete()).rejects.toMatchObject({ code: 'internal' })
    await close([part])
    expect(await complete()).toBe('last')
  })

  it('keeps in doubt what a chunk that is given up has with a provider', async () => {
    const { jobNo } = await queuedJob(store, [3, 1])
    const held = await claim(store, jobNo, 0)
    const parts = [newPart(held, [0]), newPart(held, [1, 2])]
    await park(store, held, parts)
    const shard = await planned(store, parts.slice(0, 1))
    const again = await claim(store, jobNo, 0)
    const pending = [0, 1, 2].map((index) => ({ index, id: String(index) }))
    expect(await store.write((tx) => store.chunks.fail(tx, again, 'it kills', pending, T))).toBe('completed')
    expect(await store.batches.ofChunk(held)).toStrictEqual([])
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      reserved: { nano: 0, tokens: 0 },
      doubtful: { nano: 1_000, tokens: 110 },
    })
    expect(await collect(store, shard, answered(parts.slice(0, 1)))).toStrictEqual([])
  })

  it('adds up the counters of chunks that are parked, however they go on', async () => {
    const { jobNo } = await queuedJob(store, [3, 2, 2])
    const expectTrue = async (succeeded: number, attempts: number) => {
      const { counters } = await store.jobs.progress(jobNo)
      expect([counters.succeeded, counters.attempts]).toStrictEqual([succeeded, attempts])
      const sums = await bothSums(store, jobNo)
      expect(sums.counters).toStrictEqual(sums.ledger)
    }
    const first = await claim(store, jobNo, 0)
    await answerRows(store, first, [outcomeOf(0)])
    // Its holder does not wait for this one.
    await record(store, first, { intents: [intentOf(first, 1)] })
    await park(store, first, [newPart(first, [1, 2])])
    await expectTrue(1, 2)
    expect((await store.jobs.getByNo(jobNo))!.counters).toMatchObject({ succeeded: 1, costNano: 1_300 })
    expect((await store.attempts.ledger(jobNo)).lost).toBe(1)
    const again = await claim(store, jobNo, 0)
    await expectTrue(1, 2)
    expect((await store.jobs.getByNo(jobNo))!.counters).toMatchObject({ succeeded: 0, costNano: 0 })
    await answerRows(store, again, [outcomeOf(1)])
    await store.write((tx) => store.chunks.release(tx, again, 'parked'))
    await expectTrue(2, 3)
    expect(await store.write((tx) => store.chunks.release(tx, again, 'parked'))).toBe(false)
    await expectTrue(2, 3)
    expect(await cancelOpen(jobNo, 0, [2])).toBe(true)
    await expectTrue(2, 3)
    expect((await store.jobs.getByNo(jobNo))!.counters).toMatchObject({ succeeded: 2, cancelled: 1 })
  })

  it('takes rows of a parked chunk back into a new round', async () => {
    const { jobNo } = await queuedJob(store, [3])
    const held = await claim(store, jobNo, 0)
    await answerRows(store, held, [outcomeOf(0), failedOf(1)])
    await park(store, held, [newPart(held, [2])])
    await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'failed', atMs: T }))
    const reopened = await store.write((tx) => store.rows.reopen(tx, jobNo, 1, {}))
    expect(reopened).toStrictEqual({ rows: 1, chunks: [0] })
    expect((await store.jobs.progress(jobNo)).counters).toMatchObject({ succeeded: 1, failed: 0, attempts: 2 })
    expect((await store.jobs.getByNo(jobNo))!.openChunks).toBe(1)
    const sums = await bothSums(store, jobNo)
    expect(sums.counters).toStrictEqual(sums.ledger)
  })

  it('forgives the deaths of parked chunks too', async () => {
    const { jobNo } = await queuedJob(store, [1])
    await store.chunks.claim({ jobNo, chunkNo: 0 }, 'w', true, T)
    const held = await claim(store, jobNo, 0)
    await park(store, held, [newPart(held, [0])])
    const deaths = async () => (await store.chunks.get(held))!.deaths
    expect(await deaths()).toBe(1)
    await store.write((tx) => store.chunks.forgiveDeaths(tx, jobNo))
    expect(await deaths()).toBe(0)
  })

  it('unpacks as many requests as are wanted in whole parts, those packed last, and leaves what is placed', async () => {
    const one = await queuedJob(store, [2, 2, 2, 2])
    const parts = []
    for (const chunkNo of [0, 1, 2, 3])
      parts.push(
        await packed(store, { jobNo: one.jobNo, chunkNo }, [2 * chunkNo, 2 * chunkNo + 1], {
          packedAtMs: T + chunkNo,
        }),
      )
    await planned(store, [parts[3]!])
    const reason = failure('cancelled', 'there is no time for a batch')
    const unpack = (requests: number) => store.write((tx) => store.batches.unpack(tx, one.jobNo, requests, reason))
    expect(await unpack(3)).toStrictEqual(refs(one.jobNo, 1, 2))
    expect(await store.batches.ofChunk({ jobNo: one.jobNo, chunkNo: 2 })).toMatchObject([
      { state: 'void', failure: reason },
    ])
    expect(ids(await store.batches.packed(DEFAULT_TENANT, kindOf().key, 9))).toStrictEqual([parts[0]!.id])
    expect(await unpack(99)).toStrictEqual(refs(one.jobNo, 0))
    expect(await unpack(99)).toStrictEqual([])
    expect(await store.batches.ofChunk({ jobNo: one.jobNo, chunkNo: 3 })).toMatchObject([{ state: 'placed' }])
  })

  it('withdraws a job that is not to go on: from shards that were only planned, and of its own', async () => {
    const [one, two] = [await queuedJob(store, [1, 1, 1, 1]), await queuedJob(store, [1])]
    const parts = []
    for (const chunkNo of [0, 1, 2]) parts.push(await packed(store, { jobNo: one.jobNo, chunkNo }, [chunkNo]))
    const other = await packed(store, { jobNo: two.jobNo, chunkNo: 0 }, [0])
    const shard = await planned(store, [parts[0]!, other])
    const sent = await planned(store, [parts[1]!])
    await store.batches.change(sent, { state: 'submitting' })
    const reason = failure('cancelled', 'the job was cancelled')
    const free = await store.write((tx) => store.batches.withdraw(tx, one.jobNo, reason))
    expect(free).toStrictEqual(refs(one.jobNo, 0, 2))
    expect(await store.batches.shard(shard.id)).toMatchObject({ state: 'returned', version: 1 })
    expect(await store.batches.change(shard, { state: 'submitting' })).toBeNull()
    expect(await store.batches.ofChunk({ jobNo: one.jobNo, chunkNo: 0 })).toMatchObject([
      { state: 'void', shardId: null, failure: reason },
    ])
    expect(await store.batches.ofChunk({ jobNo: one.jobNo, chunkNo: 1 })).toMatchObject([{ state: 'placed' }])
    expect(ids(await store.batches.packed(DEFAULT_TENANT, kindOf().key, 9))).toStrictEqual([other.id])
  })
}
