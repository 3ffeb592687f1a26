import { beforeEach, expect, it } from 'vitest'
import type { BatchSaid, BatchShard } from '../../src/domain/batch.ts'
import { failure } from '../../src/domain/failure.ts'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, expired, newPart, newShard, packed, park, planned } from './batches-fixture.ts'
import { claim, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

const SAID: BatchSaid = {
  batchId: 'batch_1',
  phase: 'ended',
  end: 'failed',
  total: 3,
  succeeded: null,
  failed: 3,
  files: ['file_1'],
  createdAtMs: T,
  expiresAtMs: null,
  failure: failure('quota_exhausted', 'no money', { status: 400 }),
  queueFull: true,
}

/** Shards: chosen, sent, looked at and collected, each step by one. */
export function shardsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const parts = async (...chunkRows: readonly (readonly number[])[]) => {
    const { jobNo } = await queuedJob(
      store,
      chunkRows.map(() => 10),
    )
    const all = []
    for (const [chunkNo, rows] of chunkRows.entries()) all.push(await packed(store, { jobNo, chunkNo }, rows))
    return all
  }
  const idsOf = (shards: readonly { readonly id: string }[]) => shards.map(({ id }) => id)

  it('holds its parts in the order of sending, and gives itself back to the letter', async () => {
    const [a, b, c] = await parts([0, 1], [2], [3])
    const order = [c!, a!, b!]
    const shard = newShard(order, { nextLookMs: T + 7 })
    expect(await store.batches.plan(shard, idsOf(order))).toStrictEqual(shard)
    expect(await store.batches.shard(shard.id)).toStrictEqual(shard)
    expect(await store.batches.shard('nobody')).toBeNull()
    const held = await store.batches.partsOf(shard.id)
    expect(held.map(({ id, state, shardId }) => [id, state, shardId])).toStrictEqual(
      order.map(({ id }) => [id, 'placed', shard.id]),
    )
    expect(await store.batches.waiting()).toStrictEqual([])
  })

  it('is not planned with a part that somebody else has taken', async () => {
    const [a, b] = await parts([0], [1])
    await planned(store, [b!])
    const shard = newShard([a!, b!])
    expect(await store.batches.plan(shard, idsOf([a!, b!]))).toBeNull()
    expect(await store.batches.shard(shard.id)).toBeNull()
    expect((await store.batches.packed(a!.tenantNo, a!.kind.key, 9)).map(({ id }) => id)).toStrictEqual([a!.id])
  })

  it('changes only for whoever has seen its last change, and keeps all that it was told', async () => {
    const [part] = await parts([0])
    const shard = await planned(store, [part!])
    const change: Partial<BatchShard> = {
      state: 'unclear',
      fileId: 'file',
      batchId: 'batch_1',
      guessed: true,
      notBatchIds: ['batch_0'],
      said: SAID,
      intentAtMs: T + 1,
      submitter: 'w',
      submittedAtMs: T + 2,
      heardAtMs: T + 3,
      nextLookMs: T + 4,
      endedAtMs: T + 5,
      note: 'two of them',
    }
    const changed = await store.batches.change(shard, change)
    expect(changed).toStrictEqual({ ...shard, ...change, version: 1 })
    expect(await store.batches.shard(shard.id)).toStrictEqual(changed)
    expect(await store.batches.change(shard, { state: 'submitted' })).toBeNull()
    expect(await store.batches.shard(shard.id)).toStrictEqual(changed)
    const undone = await store.batches.change(changed!, { batchId: null, guessed: false, said: null, note: null })
    expect(await store.batches.shard(shard.id)).toStrictEqual(undone)
    expect(undone).toMatchObject({ batchId: null, said: null, version: 2, fileId: 'file' })
  })

  it('is found by its state, its job and the name of its batch, what is to be looked at first coming first', async () => {
    const [a, b, c] = await parts([0], [1], [2])
    const [other] = await parts([0])
    const late = await planned(store, [a!], { nextLookMs: T + 9 })
    const soon = await planned(store, [b!, other!], { nextLookMs: T + 1 })
    const sent = await planned(store, [c!], { nextLookMs: T + 5 })
    await store.batches.change(sent, { state: 'submitted', batchId: 'batch_9' })
    const shards = async (states: Parameters<Store['batches']['shards']>[0], limit = 9) =>
      idsOf(await store.batches.shards(states, limit))
    expect(await shards({ states: ['planned'] })).toStrictEqual(idsOf([soon, late]))
    expect(await shards({ states: ['planned', 'submitted'] }, 2)).toStrictEqual(idsOf([soon, sent]))
    expect(await shards({ states: ['planned', 'submitted'], jobNo: other!.jobNo })).toStrictEqual(idsOf([soon]))
    expect(await shards({ states: [] })).toStrictEqual([])
    expect(await store.batches.known(['batch_8', 'batch_9'])).toStrictEqual(new Set(['batch_9']))
    expect(await store.batches.known([])).toStrictEqual(new Set())
  })

  it('frees with its results the chunks that wait for nothing else', async () => {
    const { jobNo } = await queuedJob(store, [9, 9, 9, 9])
    const both = await claim(store, jobNo, 0)
    const early = newPart(both, [0])
    const late = newPart(both, [1])
    await park(store, both, [early, late])
    const parked = await packed(store, { jobNo, chunkNo: 1 }, [9])
    const held = await packed(store, { jobNo, chunkNo: 2 }, [18])
    // Somebody has taken it up too early, and will park it again.
    await claim(store, jobNo, 2)
    const first = [early, parked, held]
    const shard = await planned(store, first)
    const ends = [...answered(first.slice(0, 2)), ...expired([held])]
    expect(await collect(store, shard, ends)).toStrictEqual([{ jobNo, chunkNo: 1 }])
    expect(await store.batches.shard(shard.id)).toMatchObject({ state: 'collected', version: 1 })
    expect(await store.batches.partsOf(shard.id)).toMatchObject([
      { state: 'answered', results: { key: 'results', offset: 0, length: 50 }, failure: null },
      { state: 'answered', results: { key: 'results', offset: 50, length: 50 } },
      { state: 'void', results: null, failure: failure('batch_expired', 'it took too long') },
    ])
    expect(await collect(store, shard, ends)).toBeNull()
    expect(await collect(store, await planned(store, [late]), answered([late]))).toStrictEqual([{ jobNo, chunkNo: 0 }])
  })

  it('is not collected without one of its parts', async () => {
    const all = await parts([0], [1])
    const shard = await planned(store, all)
    await expect(collect(store, shard, answered(all.slice(1)))).rejects.toMatchObject({ code: 'internal' })
    expect(await store.batches.shard(shard.id)).toMatchObject({ state: 'planned', version: 0 })
    expect((await store.batches.partsOf(shard.id)).map(({ state }) => state)).toStrictEqual(['placed', 'placed'])
  })

  it('gives its parts back where the provider took nothing of it', async () => {
    const all = await parts([0], [1])
    const shard = await planned(store, all)
    const sent = await store.batches.change(shard, { state: 'submitting' })
    expect(await store.batches.giveBack(shard, { note: 'too late' })).toBeNull()
    const returned = await store.batches.giveBack(sent!, { note: 'it refused', said: SAID })
    expect(returned).toMatchObject({ state: 'returned', note: 'it refused', said: SAID, version: 2 })
    expect(await store.batches.partsOf(shard.id)).toStrictEqual([])
    const next = await planned(store, all)
    expect((await store.batches.partsOf(next.id)).map(({ id }) => id)).toStrictEqual(idsOf(all))
  })

  it('is cancelled with its job, unless another has a part in it', async () => {
    const [a, b, c] = await parts([0], [1], [2])
    const [other] = await parts([0])
    const own = (await store.batches.change(await planned(store, [a!]), { state: 'submitted', nextLookMs: T + 99 }))!
    const mixed = (await store.batches.change(await planned(store, [b!, other!]), { state: 'submitted' }))!
    const early = await planned(store, [c!])
    expect(await store.batches.wantCancel(a!.jobNo, T + 1)).toBe(1)
    expect(await store.batches.wantCancel(a!.jobNo, T + 2)).toBe(0)
    expect(await store.batches.shard(own.id)).toStrictEqual({
      ...own,
      cancelWantedMs: T + 1,
      nextLookMs: T + 1,
      version: own.version + 1,
    })
    expect(await store.batches.change(own, { heardAtMs: T })).toBeNull()
    for (const { id } of [mixed, early]) expect(await store.batches.shard(id)).toMatchObject({ cancelWantedMs: null })
  })

  it('is called back once it may have been sent, whosever parts it holds', async () => {
    const [a, b, c] = await parts([0], [1], [2])
    const [other] = await parts([0])
    const mixed = (await store.batches.change(await planned(store, [a!, other!]), { state: 'submitted' }))!
    const early = await planned(store, [b!])
    const left = (await store.batches.change(await planned(store, [c!]), { state: 'submitted' }))!
    await store.batches.callBack([mixed.id, early.id], T + 1)
    await store.batches.callBack([mixed.id], T + 2)
    expect(await store.batches.shard(mixed.id)).toStrictEqual({
      ...mixed,
      cancelWantedMs: T + 1,
      nextLookMs: T + 1,
      version: mixed.version + 1,
    })
    for (const { id } of [early, left]) expect(await store.batches.shard(id)).toMatchObject({ cancelWantedMs: null })
  })

  it('says what is out of a job, and how long batches of an account took', async () => {
    const [a, b, c, d] = await parts([0, 1], [2, 3, 4], [5], [6])
    const sent = (await store.batches.change(await planned(store, [a!]), {
      state: 'submitted',
      batchId: 'batch_1',
      submittedAtMs: T,
      said: SAID,
    }))!
    const back = (await store.batches.change(await planned(store, [b!]), { submittedAtMs: T, endedAtMs: T + 60 }))!
    await collect(store, back, answered([b!]))
    const cut = (await store.batches.change(await planned(store, [d!]), { state: 'submitted', submittedAtMs: T }))!
    await store.batches.wantCancel(d!.jobNo, T + 5)
    const now = (await store.batches.shard(cut.id))!
    await store.batches.change(now, { state: 'ended', endedAtMs: T + 70 })
    expect(await store.batches.outstanding(c!.jobNo)).toMatchObject({
      packed: 1,
      placed: 3,
      answered: 3,
      shards: [
        { id: sent.id, state: 'submitted', requests: 2, batchId: 'batch_1', submittedAtMs: T, said: SAID },
        { id: cut.id, state: 'ended', cancelWantedMs: T + 5 },
      ],
    })
    expect(await store.batches.turnarounds(a!.kind.account, 9)).toStrictEqual([{ requests: 3, ms: 60 }])
    expect(await store.batches.turnarounds('nobody', 9)).toStrictEqual([])
  })
}
