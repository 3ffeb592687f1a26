import { beforeEach, expect, it } from 'vitest'
import type { NewPart } from '../../src/store/role/batches.ts'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, packed, planned } from './batches-fixture.ts'
import { claim, completeChunk, failedOf, outcomeOf, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

/** Shards whose results nobody needs any more. */
export function spentConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const packedOf = (jobNo: number, chunkNo = 0) => packed(store, { jobNo, chunkNo }, [chunkNo])
  /** A shard of these parts that came back. */
  const collected = async (parts: readonly NewPart[]) => {
    const shard = await planned(store, parts)
    await collect(store, shard, answered(parts))
    return shard.id
  }
  /** Books what came back of the job, each row by itself a chunk, and ends it. */
  const end = async (jobNo: number, parts: readonly NewPart[], failed = false) => {
    for (const { id, chunkNo } of parts) {
      const held = await claim(store, jobNo, chunkNo)
      await store.write((tx) => store.batches.close(tx, [id]))
      await completeChunk(store, held, [failed ? failedOf(chunkNo) : outcomeOf(chunkNo)])
    }
    await store.write((tx) => store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T }))
  }

  it('are those of jobs that are completed, and not before', async () => {
    const { jobNo } = await queuedJob(store, [1, 1])
    const parts = [await packedOf(jobNo, 0), await packedOf(jobNo, 1)]
    const shardIds = [await collected(parts.slice(0, 1)), await collected(parts.slice(1))]
    expect(await store.batches.spent({ jobNo })).toStrictEqual([])
    await end(jobNo, parts)
    expect((await store.jobs.getByNo(jobNo))!.state).toBe('completed')
    expect([...(await store.batches.spent({ jobNo }))].sort()).toStrictEqual(shardIds.toSorted())
    expect(await store.batches.spent({ shardIds: ['unknown', shardIds[1]!] })).toStrictEqual([shardIds[1]])
    expect(await store.batches.spent({ jobNo: jobNo + 1 })).toStrictEqual([])
    expect(await store.batches.spent({ shardIds: [] })).toStrictEqual([])
  })

  it('are not those of a job with a row that failed, until that was retried', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const parts = [await packedOf(jobNo)]
    const first = await collected(parts)
    await end(jobNo, parts, true)
    expect(await store.batches.spent({ jobNo })).toStrictEqual([])
    await store.write(async (tx) => {
      await store.rows.reopen(tx, jobNo, 1, {})
      await store.jobs.openRound(tx, jobNo, { round: 1, specHash: 'spec', selection: '{}', atMs: T })
    })
    const again = [await packedOf(jobNo)]
    const second = await collected(again)
    expect(await store.batches.spent({ shardIds: [first, second] })).toStrictEqual([])
    await end(jobNo, again)
    expect([...(await store.batches.spent({ jobNo }))].sort()).toStrictEqual([first, second].sort())
  })

  it('are not those that another job has parts in, unless that is completed as well', async () => {
    const [one, two] = [await queuedJob(store, [1]), await queuedJob(store, [1])]
    const [mine, theirs] = [await packedOf(one.jobNo), await packedOf(two.jobNo)]
    const shardId = await collected([mine, theirs])
    await end(one.jobNo, [mine])
    expect(await store.batches.spent({ jobNo: one.jobNo })).toStrictEqual([])
    await end(two.jobNo, [theirs])
    for (const { jobNo } of [one, two]) expect(await store.batches.spent({ jobNo })).toStrictEqual([shardId])
  })

  it('are not those of jobs that failed or were cancelled', async () => {
    const one = await queuedJob(store, [1, 1])
    const part = await packedOf(one.jobNo)
    const shardId = await collected([part])
    const held = await claim(store, one.jobNo, 0)
    await store.write((tx) => store.batches.close(tx, [part.id]))
    await completeChunk(store, held, [outcomeOf(0)])
    await store.write((tx) => store.jobs.change(tx, one.jobNo, ['running'], { to: 'failed', atMs: T }))
    expect(await store.batches.spent({ shardIds: [shardId] })).toStrictEqual([])
  })
}
