import { beforeEach, expect, it } from 'vitest'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, packed, planned } from './batches-fixture.ts'
import {
  answerRows,
  bothSums,
  claim,
  factOf,
  intentOf,
  nextId,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

/** Attempts that are noted only when they have ended: their intent is the part that asked them. */
export function bookingConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const fact = (held: ChunkClaim, row: number, id: string, costNano = 300) =>
    factOf(intentOf(held, row, { id, lane: 'batch' }), { costNano })
  const expectTrue = async (jobNo: number, costNano: number, attempts: number) => {
    const { counters, ledger } = await bothSums(store, jobNo)
    expect(counters).toStrictEqual(ledger)
    expect(ledger).toMatchObject({ costNano, attempts })
  }

  it('are entered once, however often and by whomever they are booked', async () => {
    const { jobNo } = await queuedJob(store, [4])
    const [a, b] = [nextId(), nextId()]
    const held = await claim(store, jobNo, 0)
    // One of the group is there by its intent, as live ones are.
    const live = intentOf(held, 2)
    await record(store, held, { intents: [live] })
    await record(store, held, { facts: [fact(held, 0, a), factOf(live), fact(held, 1, b)], outcomes: [outcomeOf(0)] })
    await expectTrue(jobNo, 900, 3)
    await record(store, held, { facts: [fact(held, 0, a), fact(held, 1, b)] })
    await expectTrue(jobNo, 900, 3)
    const next = await claim(store, jobNo, 0)
    await record(store, next, { facts: [fact(next, 1, b), fact(next, 1, b)], outcomes: [outcomeOf(1)] })
    await expectTrue(jobNo, 900, 3)
    expect(await store.attempts.ofRow(jobNo, 1)).toMatchObject([
      { id: b, state: 'booked', lane: 'batch', costNano: 300, inputTokens: 40, cachedTokens: 8, endedAtMs: T + 500 },
    ])
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ booked: 3, lost: 0, open: 0, orphaned: 0 })
    expect([...(await store.attempts.ofChunk(next, 0)).values()].flat().map(({ id }) => id)).toContain(a)
  })

  it('that a worker booked which had lost the chunk are of use to the one that holds it', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const id = nextId()
    const stale = await claim(store, jobNo, 0, 'stale')
    const held = await claim(store, jobNo, 0, 'next')
    await record(store, stale, { facts: [fact(stale, 0, id)] })
    await expectTrue(jobNo, 300, 1)
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ orphaned: 1, booked: 0 })
    await record(store, held, { facts: [fact(held, 0, id)], outcomes: [outcomeOf(0)] })
    await expectTrue(jobNo, 300, 1)
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ orphaned: 0, booked: 1 })
    await record(store, stale, { facts: [fact(stale, 0, id)] })
    await expectTrue(jobNo, 300, 1)
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ orphaned: 0, booked: 1 })
    await answerRows(store, held, [outcomeOf(1)])
    expect(await store.write((tx) => store.chunks.complete(tx, held, T))).toBe('last')
    await expectTrue(jobNo, 600, 2)
  })

  it('come into the ledger of a job that is over, also where its sums were kept', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const part = await packed(store, { jobNo, chunkNo: 0 }, [0, 1])
    await collect(store, await planned(store, [part]), answered([part]))
    await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'failed', reason: 'timeout', atMs: T }))
    expect((await store.attempts.ledger(jobNo)).attempts).toBe(0)
    const claimed = (await store.chunks.claim({ jobNo, chunkNo: 0 }, 'w', false, T, 'settle'))!
    const held = { jobNo, chunkNo: 0, epoch: claimed.chunk.epoch }
    expect((await store.attempts.ledger(jobNo)).attempts).toBe(0)
    await record(store, held, { facts: [fact(held, 0, nextId()), fact(held, 1, nextId())] })
    await expectTrue(jobNo, 600, 2)
    expect((await store.jobs.getByNo(jobNo))!.state).toBe('failed')
  })
}
