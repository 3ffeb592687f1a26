import { beforeEach, expect, it } from 'vitest'
import type { Amount } from '../../src/domain/budget.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import type { NewPart } from '../../src/store/role/batches.ts'
import type { DrawRequest } from '../../src/store/role/budgets.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { batchesNeverOverspend } from './batches-budget-model.ts'
import { answered, collect, expired, newPart, packed, park, planned } from './batches-fixture.ts'
import { claim, factOf, intentOf, nextId, queuedJob, record, type StoreUnderTest, T } from './store-fixture.ts'

const FREE = { nano: null, tokens: null }
const both = (n: number): Amount => ({ nano: n, tokens: n })
const NOTHING = both(0)
/** What a part of so many rows may cost. */
const worstOf = (rows: number): Amount => ({ nano: rows * 1_000, tokens: rows * 110 })

/** What of a budget is held for parts of batches. */
export function holdingsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const draw = (jobNo: number, wish: Amount, more: Partial<DrawRequest> = {}) =>
    store.budgets.draw({
      jobNo,
      workerId: 'a',
      specLimits: { nano: 10_000, tokens: null },
      least: wish,
      wish,
      rest: NOTHING,
      ...more,
    })
  const reserved = async (jobNo: number) => (await store.budgets.outlook(jobNo)).reserved
  const bookParts = async (held: ChunkClaim, part: NewPart, facts: Parameters<typeof record>[2]['facts'] = []) => {
    const { jobNo, chunkNo } = held
    await store.write((tx) => store.budgets.bookParts(tx, [{ jobNo, chunkNo, partId: part.id, facts }]))
    await record(store, held, { facts })
  }
  /** A part that came back, and its chunk, claimed. */
  const cameBack = async (jobNo: number, rows: readonly number[]) => {
    await draw(jobNo, worstOf(rows.length))
    const held = await claim(store, jobNo, 0, 'a')
    const part = newPart(held, rows)
    await park(store, held, [part], 'a')
    await collect(store, await planned(store, [part]), answered([part]))
    return [part, await claim(store, jobNo, 0, 'b')] as const
  }
  const fact = (held: ChunkClaim, row: number, more: Partial<Parameters<typeof factOf>[1]> = {}) =>
    factOf(intentOf(held, row, { id: nextId(), lane: 'batch' }), more)

  it('leaves its worker with it, and outlives him', async () => {
    const { jobNo } = await queuedJob(store, [9])
    await draw(jobNo, worstOf(5))
    const held = await claim(store, jobNo, 0, 'a')
    const [part] = await park(store, held, [newPart(held, [0, 1, 2])], 'a')
    expect(await reserved(jobNo)).toStrictEqual(worstOf(5))
    await store.budgets.giveBack(jobNo, 'a', worstOf(2))
    await store.budgets.retire(jobNo, 'a')
    expect(await reserved(jobNo)).toStrictEqual(worstOf(3))
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ spent: NOTHING, doubtful: NOTHING })
    const refused = await draw(jobNo, worstOf(8), { workerId: 'b' })
    expect(refused).toMatchObject({ refusedBy: 'usd', others: [], heldByParts: true })
    expect(await draw(jobNo, worstOf(7), { workerId: 'b' })).toMatchObject({ refusedBy: null, heldByParts: false })
    await collect(store, await planned(store, [part!]), expired([part!]))
    await store.write((tx) => store.batches.close(tx, [part!.id]))
    expect(await reserved(jobNo)).toStrictEqual(worstOf(7))
  })

  it('is not to be had without a grant, unless nothing limits the job', async () => {
    const { jobNo } = await queuedJob(store, [9])
    const held = await claim(store, jobNo, 0, 'a')
    await expect(park(store, held, [newPart(held, [0])], 'a')).rejects.toThrow('no grant')
    expect(await store.batches.ofChunk(held)).toStrictEqual([])
    expect(await reserved(jobNo)).toStrictEqual(NOTHING)
    await park(store, held, [newPart(held, [0, 1])], null)
    // A budget that is set now counts it.
    expect(await reserved(jobNo)).toStrictEqual(worstOf(2))
    expect((await draw(jobNo, worstOf(9))).refusedBy).toBe('usd')
  })

  it('is what results are taken from, once each, and no more than each was held for', async () => {
    const { jobNo } = await queuedJob(store, [9])
    const [part, held] = await cameBack(jobNo, [0, 1, 2])
    const dear = fact(held, 0, { costNano: 5_000, usage: { ...NO_USAGE, inputTokens: 900 } })
    const cheap = fact(held, 1)
    await bookParts(held, part, [dear])
    expect(await reserved(jobNo)).toStrictEqual(worstOf(2))
    await bookParts(held, part, [dear, cheap, cheap])
    const left = { nano: 2_000 - 300, tokens: 220 - 44 }
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      spent: { nano: 5_300, tokens: 944 },
      reserved: left,
      doubtful: NOTHING,
    })
    await bookParts(held, part, [cheap])
    expect(await reserved(jobNo)).toStrictEqual(left)
    const lost = fact(held, 2, { cause: 'unknown', costNano: null, usage: NO_USAGE })
    await bookParts(held, part, [lost])
    await bookParts(held, part, [lost])
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      reserved: { nano: 700, tokens: 66 },
      doubtful: { nano: 1_000, tokens: 110 },
    })
    await store.write((tx) => store.batches.close(tx, [part.id]))
    await store.write((tx) => store.batches.close(tx, [part.id]))
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      spent: { nano: 5_300, tokens: 944 },
      reserved: NOTHING,
      doubtful: { nano: 1_000, tokens: 110 },
    })
  })

  it('is not taken from twice by one who has lost the chunk', async () => {
    const { jobNo } = await queuedJob(store, [9])
    const [part, stale] = await cameBack(jobNo, [0, 1])
    const held = await claim(store, jobNo, 0, 'c')
    const said = fact(stale, 0)
    await bookParts(stale, part, [said])
    await bookParts(held, part, [{ ...said, intent: { ...said.intent, epoch: held.epoch } }])
    expect(await store.budgets.outlook(jobNo)).toMatchObject({
      spent: { nano: 300, tokens: 44 },
      reserved: { nano: 1_700, tokens: 176 },
    })
  })

  it('counts for the day on which it was drawn, and comes back to it', async () => {
    const [one, two] = [await queuedJob(store, [9]), await queuedJob(store, [9])]
    await store.budgets.setDay(DEFAULT_TENANT, 5_000)
    await draw(one.jobNo, worstOf(3), { specLimits: FREE })
    const held = await claim(store, one.jobNo, 0, 'a')
    const [part] = await park(store, held, [newPart(held, [0, 1, 2])], 'a')
    await store.budgets.retire(one.jobNo, 'a')
    const more = () => draw(two.jobNo, worstOf(4), { specLimits: FREE })
    expect(await more()).toMatchObject({ refusedBy: 'day', others: [], heldByParts: true })
    await collect(store, await planned(store, [part!]), expired([part!]))
    await store.write((tx) => store.batches.close(tx, [part!.id]))
    expect(await more()).toMatchObject({ refusedBy: null })
  })

  it('stays in doubt where a round ends without knowing', async () => {
    const { jobNo } = await queuedJob(store, [9])
    await packed(store, { jobNo, chunkNo: 0 }, [0, 1])
    await store.write((tx) => store.budgets.clear(tx, jobNo))
    expect(await store.budgets.outlook(jobNo)).toMatchObject({ reserved: NOTHING, doubtful: worstOf(2) })
  })

  it('goes with the job when that is old', async () => {
    const { jobNo } = await queuedJob(store, [9], { atMs: T })
    const other = await queuedJob(store, [9])
    const [part, young] = [
      await packed(store, { jobNo, chunkNo: 0 }, [0]),
      await packed(store, { jobNo: other.jobNo, chunkNo: 0 }, [0]),
    ]
    const [own, mixed] = [await planned(store, [part]), await planned(store, [young])]
    await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'failed', atMs: T }))
    await store.upkeep.dropOld({ rowsBeforeMs: T + 1, attemptsBeforeMs: null })
    const dropped = (await store.jobs.getByNo(jobNo))!.droppedAtMs !== undefined
    // On PostgreSQL jobs of one week go together.
    expect(await store.batches.ofChunk({ jobNo, chunkNo: 0 })).toHaveLength(dropped ? 0 : 1)
    expect(await reserved(jobNo)).toStrictEqual(dropped ? NOTHING : worstOf(1))
    expect((await store.batches.shard(own.id)) === null).toBe(dropped)
    expect(await store.batches.shard(mixed.id)).toMatchObject({ state: 'planned' })
    expect(await reserved(other.jobNo)).toStrictEqual(worstOf(1))
  })

  it('is never passed by what is billed, whatever is packed, answered, booked, lost, taken for dead or booked again', async () => {
    await batchesNeverOverspend(under().store)
  }, 60_000)
}
