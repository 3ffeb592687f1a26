import { beforeEach, describe, expect, it } from 'vitest'
import { addSums, dayOf, type LedgerPart, NO_SUMS } from '../../src/domain/ledger.ts'
import type { Price } from '../../src/domain/money.ts'
import { sha256 } from '../../src/runtime.ts'
import type { JobCost } from '../../src/store/role/costs.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import {
  bothSums,
  claim,
  completeChunk,
  factOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

const DAY_MS = 86_400_000

const PRICE: Price = {
  inputNanoPerMillion: 3_000_000_000,
  outputNanoPerMillion: 15_000_000_000,
  cachedInputNanoPerMillion: 300_000_000,
  cacheWriteNanoPerMillion: null,
  source: 'a list, 2026-11-22',
}

/** What all jobs have cost: by kind of token, at which price, and in sums that are kept. */
export function costsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })

  const ofTenant = async (fromDay: number | null = null, from: Store = store) => {
    const found: JobCost[] = []
    for await (const cost of from.costs.ofTenant(DEFAULT_TENANT, fromDay)) found.push(cost)
    return found
  }
  const total = (parts: readonly LedgerPart[]) => parts.reduce(addSums, NO_SUMS)
  const end = async (jobNo: number) =>
    expect(
      await store.write((tx) =>
        store.jobs.change(tx, jobNo, ['finalizing', 'running', 'queued'], { to: 'completed', atMs: T + 2_000 }),
      ),
    ).toBe(true)
  const lose = async (jobNo: number) => {
    const dead = await claim(store, jobNo, 0)
    const intent = intentOf(dead, 0)
    await record(store, dead, { intents: [intent] })
    return { dead, intent }
  }

  describe('a price', () => {
    it('has one number for ever, in every process', async () => {
      const no = await store.costs.priceNo(PRICE)
      const another = await under().openAnother()
      try {
        expect(await another.costs.priceNo({ ...PRICE })).toBe(no)
        const others = [
          { ...PRICE, cacheWriteNanoPerMillion: 1 },
          { ...PRICE, cachedInputNanoPerMillion: null },
          { ...PRICE, lanePermille: 500 },
          { ...PRICE, source: 'a list, 2026-11-23' },
        ]
        const nos = await Promise.all(others.map((price) => another.costs.priceNo(price)))
        expect(new Set([no, ...nos]).size).toBe(5)
        expect(await Promise.all(others.map((price) => store.costs.priceNo(price)))).toEqual(nos)
      } finally {
        await another.close()
      }
    })
  })

  it('has every attempt by kind of token, with the price that it was booked at', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const held = await claim(store, jobNo, 0)
    const priceNo = await store.costs.priceNo({ ...PRICE, lanePermille: 500 })
    const intents = [intentOf(held, 0, { priceNo }), intentOf(held, 1, { startedAtMs: T + DAY_MS })]
    const usage = {
      inputTokens: 100,
      cachedInputTokens: 60,
      cacheWriteTokens: 30,
      outputTokens: 20,
      reasoningTokens: 15,
    }
    await record(store, held, { intents, facts: intents.map((intent) => factOf(intent, { usage })) })
    const parts = await store.costs.ofJob(jobNo)
    const used = {
      attempts: 1,
      inputTokens: 100,
      cachedTokens: 60,
      cacheWriteTokens: 30,
      outputTokens: 20,
      reasoningTokens: 15,
      costNano: 300,
      unpriced: 0,
    }
    const booked = { round: 0, model: 'simulator/small', lane: 'live', state: 'booked', cause: null, ...used }
    expect(parts.toSorted((a, b) => a.day - b.day)).toStrictEqual([
      { ...booked, day: dayOf(T), price: { ...PRICE, lanePermille: 500 } },
      { ...booked, day: dayOf(T) + 1, price: null },
    ])
    expect((await store.attempts.ofRow(jobNo, 0))[0]).toMatchObject({ cacheWriteTokens: 30, reasoningTokens: 15 })
  })

  it('has an attempt at the price it was charged at, whatever its intent said', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const held = await claim(store, jobNo, 0)
    const [live, flex] = [PRICE, { ...PRICE, lanePermille: 500 }]
    const [liveNo, flexNo] = await Promise.all([live, flex].map((price) => store.costs.priceNo(price)))
    const intents = [0, 1].map((row) => intentOf(held, row, { priceNo: liveNo as number }))
    const facts = intents.map((intent) => factOf({ ...intent, priceNo: flexNo as number }))
    await record(store, held, { intents, facts: facts.slice(0, 1) })
    expect((await store.costs.ofJob(jobNo)).map(({ state, price }) => [state, price])).toEqual(
      expect.arrayContaining([
        ['booked', flex],
        ['open', live],
      ]),
    )
    // Its holder has died meanwhile; then its answer comes after all.
    await store.chunks.claim({ jobNo, chunkNo: 0 }, 'another', true, T + 1)
    await record(store, held, { facts: facts.slice(1) })
    expect((await store.costs.ofJob(jobNo)).map(({ price }) => price)).toEqual([flex, flex])
  })

  it('books a lost attempt at the worst case of each kind', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const dead = await claim(store, jobNo, 0)
    await record(store, dead, { intents: [intentOf(dead, 0, { worstCacheWriteTokens: 100 })] })
    await claim(store, jobNo, 0)
    expect(await store.costs.ofJob(jobNo)).toMatchObject([{ state: 'lost', inputTokens: 100, cacheWriteTokens: 100 }])
  })

  it('counts what is still open, and nothing else of it', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const held = await claim(store, jobNo, 0)
    await record(store, held, { intents: [intentOf(held, 0)] })
    expect(await store.costs.ofJob(jobNo)).toMatchObject([{ ...NO_SUMS, state: 'open', attempts: 1 }])
  })

  describe('the sums of a job that is over', () => {
    it('are kept when its attempts are thrown away', async () => {
      await store.upkeep.prepare()
      const { jobNo } = await queuedJob(store, [1])
      await completeChunk(store, await claim(store, jobNo, 0), [outcomeOf(0)])
      await end(jobNo)
      await store.upkeep.dropOld({ rowsBeforeMs: null, attemptsBeforeMs: T + 60 * DAY_MS })
      expect(await store.attempts.ofRow(jobNo, 0)).toEqual([])
      expect(total(await store.costs.ofJob(jobNo))).toMatchObject({ attempts: 1, costNano: 300 })
      expect(await ofTenant()).toMatchObject([{ part: { costNano: 300 } }])
    })

    it('are made anew when an attempt is booked late, even where its figures are those of its worst case', async () => {
      const { jobNo } = await queuedJob(store, [1])
      const { dead, intent } = await lose(jobNo)
      await completeChunk(store, await claim(store, jobNo, 0), [outcomeOf(0)])
      await end(jobNo)
      expect(await store.attempts.ledger(jobNo)).toMatchObject({ lost: 1, orphaned: 0, costNano: 1_300 })
      const usage = {
        inputTokens: 100,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 10,
        reasoningTokens: 0,
      }
      await record(store, dead, { facts: [factOf(intent, { usage, costNano: 1_000 })] })
      expect(await store.attempts.ledger(jobNo)).toMatchObject({ lost: 0, orphaned: 1, costNano: 1_300 })
    })

    it('are the same in every process, and are made anew in a new round', async () => {
      const { jobNo } = await queuedJob(store, [1])
      await completeChunk(store, await claim(store, jobNo, 0), [
        outcomeOf(0, { state: 'failed', cause: 'refused', output: null }),
      ])
      await end(jobNo)
      const kept = await store.costs.ofJob(jobNo)
      const another = await under().openAnother()
      try {
        expect(await another.costs.ofJob(jobNo)).toEqual(kept)
        await store.write(async (tx) => {
          await store.rows.reopen(tx, jobNo, 1, {})
          await store.jobs.openRound(tx, jobNo, { round: 1, specHash: sha256('second'), selection: '{}', atMs: T })
        })
        const held = await claim(store, jobNo, 0)
        const intent = intentOf(held, 0, { round: 1 })
        await record(store, held, { intents: [intent], facts: [factOf(intent)] })
        expect(await another.costs.ofJob(jobNo)).toHaveLength(2)
        const costs = await ofTenant(null, another)
        expect(costs.map(({ specHash }) => specHash).toSorted()).toEqual([sha256('spec'), sha256('second')].toSorted())
      } finally {
        await another.close()
      }
    })
  })

  it('rolls up all jobs of a tenant, over and running, from a day on', async () => {
    await under().addTenant(7)
    const jobs: number[] = []
    for (const [n, startedAtMs] of [T - DAY_MS, T, T].entries()) {
      const { jobNo } = await queuedJob(store, [1], { specName: `spec ${n}` })
      const held = await claim(store, jobNo, 0)
      const intent = intentOf(held, 0, { startedAtMs })
      await record(store, held, { intents: [intent], facts: [factOf(intent)], outcomes: [outcomeOf(0)] })
      if (n < 2) {
        await store.write((tx) => store.chunks.complete(tx, held, T))
        await end(jobNo)
      }
      jobs.push(jobNo)
    }
    await queuedJob(store, [1])
    const other = await queuedJob(store, [1], { tenantNo: 7 })
    const held = await claim(store, other.jobNo, 0)
    await record(store, held, { facts: [factOf(intentOf(held, 0))] })
    for (const _ of ['summed', 'kept'])
      expect((await ofTenant()).map(({ specName, part }) => [specName, part.costNano])).toEqual([
        ['spec 0', 300],
        ['spec 1', 300],
        ['spec 2', 300],
      ])
    expect((await ofTenant(dayOf(T))).map(({ specName }) => specName)).toEqual(['spec 1', 'spec 2'])
    for (const jobNo of jobs) {
      const { counters, ledger } = await bothSums(store, jobNo)
      expect(ledger).toStrictEqual(counters)
    }
  })
}
