import { beforeEach, expect, it } from 'vitest'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, newPart, newShard, packed, park, planned } from './batches-fixture.ts'
import { claim, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

/** How often each race is run: who comes first differs from time to time. */
const ROUNDS = 8

/** Two processes over the same parts and shards. */
export function batchRacesConformance(under: () => StoreUnderTest): void {
  let one: Store
  let two: Store
  beforeEach(async () => {
    one = under().store
    two = await under().openAnother()
  })
  const again = async (race: () => Promise<void>) => {
    for (let round = 0; round < ROUNDS; round += 1) await race()
  }
  const parts = async (chunks: number) => {
    const { jobNo } = await queuedJob(
      one,
      Array.from({ length: chunks }, () => 1),
    )
    const all = []
    for (let chunkNo = 0; chunkNo < chunks; chunkNo += 1) all.push(await packed(one, { jobNo, chunkNo }, [chunkNo]))
    return all
  }

  it('lets one of two plan a part', () =>
    again(async () => {
      const [a, b, c] = await parts(3)
      const [left, right] = [
        [a!, b!],
        [c!, b!],
      ]
      const shards = await Promise.all([
        one.batches.plan(
          newShard(left),
          left.map(({ id }) => id),
        ),
        two.batches.plan(
          newShard(right),
          right.map(({ id }) => id),
        ),
      ])
      expect(shards.filter((shard) => shard !== null)).toHaveLength(1)
      const winner = shards.find((shard) => shard !== null)!
      const loser = shards[0] === null ? a! : c!
      expect(await one.batches.partsOf(winner.id)).toHaveLength(2)
      expect((await one.batches.ofChunk(loser))[0]).toMatchObject({ state: 'packed', shardId: null })
      expect(await one.batches.shards({ states: ['planned'], jobNo: b!.jobNo }, 9)).toHaveLength(1)
    }))

  it('lets one of two change a shard', () =>
    again(async () => {
      const shard = await planned(one, await parts(1))
      const intend = (store: Store, submitter: string) =>
        store.batches.change(shard, { state: 'submitting', submitter })
      const changed = await Promise.all([intend(one, 'one'), intend(two, 'two')])
      expect(changed.filter((each) => each !== null)).toHaveLength(1)
      const winner = changed[0] === null ? 'two' : 'one'
      expect(await one.batches.shard(shard.id)).toMatchObject({ submitter: winner, version: 1 })
    }))

  it('lets one of two collect a shard, and free its chunks', () =>
    again(async () => {
      const all = await parts(3)
      const shard = await planned(one, all)
      const freed = await Promise.all([collect(one, shard, answered(all)), collect(two, shard, answered(all))])
      expect(freed.filter((each) => each !== null)).toHaveLength(1)
      expect(freed.find((each) => each !== null)).toHaveLength(3)
    }))

  it('lets a shard be collected or given back', () =>
    again(async () => {
      const all = await parts(2)
      const shard = await planned(one, all)
      const [freed, returned] = await Promise.all([
        collect(one, shard, answered(all)),
        two.batches.giveBack(shard, { note: 'no' }),
      ])
      expect((freed === null) !== (returned === null)).toBe(true)
      const states = new Set((await one.batches.ofChunk(all[0]!)).map(({ state }) => state))
      expect(states).toStrictEqual(new Set([freed === null ? 'packed' : 'answered']))
    }))

  it('frees a chunk that is parked at the moment when its last part is over, or shows that to whoever parks it', () =>
    again(async () => {
      const [part] = await parts(1)
      const { jobNo } = part!
      const shard = await planned(one, [part!])
      const early = await claim(two, jobNo, 0)
      const release = two.write(async (tx) => {
        await two.chunks.release(tx, early, 'parked')
        return await two.chunks.open(jobNo, tx)
      })
      const [freed, open] = await Promise.all([collect(one, shard, answered([part!])), release])
      expect([...freed!, ...open]).toContainEqual({ jobNo, chunkNo: 0 })
    }))

  it('lets two shards end parts of one chunk, and frees that once', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [2])
      const held = await claim(one, jobNo, 0)
      const [a, b] = [newPart(held, [0]), newPart(held, [1])]
      await park(one, held, [a, b])
      const shards = [await planned(one, [a]), await planned(one, [b])] as const
      const freed = await Promise.all([collect(one, shards[0], answered([a])), collect(two, shards[1], answered([b]))])
      expect(freed.flat()).toStrictEqual([{ jobNo, chunkNo: 0 }])
    }))

  it('either cancels a chunk or plans its part', () =>
    again(async () => {
      const [part] = await parts(1)
      const { jobNo } = part!
      const [shard, cancelled] = await Promise.all([
        one.batches.plan(newShard([part!]), [part!.id]),
        two.write((tx) => two.chunks.cancelOpen(tx, { jobNo, chunkNo: 0 }, [{ index: 0, id: '0' }], T)),
      ])
      expect(cancelled).toBe(shard === null)
      expect((await one.budgets.outlook(jobNo)).reserved.nano).toBe(shard === null ? 0 : 1_000)
    }))
}
