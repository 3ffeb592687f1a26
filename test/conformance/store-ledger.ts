import { beforeEach, expect, it } from 'vitest'
import { NO_SUMS } from '../../src/domain/ledger.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { sha256 } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'
import {
  answerRows,
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
import { addsUp } from './store-ledger-model.ts'

/** The ledger: every attempt stands there exactly once, and the counters add up to it. */
export function ledgerConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })

  it('gives back attempts to the letter: by chunk and round, by row, and page by page', async () => {
    const { jobNo } = await queuedJob(store, [2, 1])
    const held = [await claim(store, jobNo, 0), await claim(store, jobNo, 1)]
    const first = intentOf(held[0]!, 1, { number: 1 })
    const second = intentOf(held[0]!, 1, { number: 2, model: 'openai/big', requestHash: sha256('other') })
    const other = intentOf(held[1]!, 2, { lane: 'batch' })
    const failing = factOf(first, {
      cause: 'schema_invalid',
      message: 'no "topic"',
      status: 200,
      providerCode: 'x',
      reply: '{}',
      counts: true,
      retryable: false,
    })
    await record(store, held[0]!, { intents: [second, first] })
    await record(store, held[0]!, { facts: [failing, factOf(second, { counts: false, costNano: null })] })
    await record(store, held[1]!, { intents: [other] })
    const past = await store.attempts.ofChunk({ jobNo, chunkNo: 0 }, 0)
    expect([...past.keys()]).toStrictEqual([1])
    expect(past.get(1)).toStrictEqual([
      {
        id: first.id,
        lane: 'live',
        number: 1,
        state: 'booked',
        cause: 'schema_invalid',
        message: 'no "topic"',
        counts: true,
        retryable: false,
        model: 'simulator/small',
        reply: '{}',
        inputTokens: 40,
        outputTokens: 4,
        costNano: 300,
        startedAtMs: T,
        requestHash: sha256('request 1'),
      },
      {
        id: second.id,
        lane: 'live',
        number: 2,
        state: 'booked',
        cause: null,
        message: null,
        counts: false,
        model: 'openai/big',
        reply: null,
        inputTokens: 40,
        outputTokens: 4,
        costNano: null,
        startedAtMs: T,
        requestHash: sha256('other'),
      },
    ])
    expect((await store.attempts.ofChunk({ jobNo, chunkNo: 0 }, 1)).size).toBe(0)
    expect(await store.attempts.ofRow(jobNo, 1)).toMatchObject([
      { id: first.id, chunkNo: 0, rowIndex: 1, status: 200, providerCode: 'x', cachedTokens: 8, endedAtMs: T + 500 },
      { id: second.id, providerRequestId: 'req_1' },
    ])
    expect(await store.attempts.ofRow(jobNo, 2)).toMatchObject([{ id: other.id, state: 'open', endedAtMs: null }])
    expect(await store.attempts.ofRow(jobNo, 99)).toStrictEqual([])
    const page = await store.attempts.list(jobNo, null, 2)
    const rest = await store.attempts.list(jobNo, page[1]!, 2)
    expect([...page, ...rest].map((attempt) => attempt.id)).toStrictEqual([first.id, second.id, other.id])
  })

  it('tells of each row how many of its tokens were cached and thoughts, in every round', async () => {
    const { jobNo } = await queuedJob(store, [3, 1, 1])
    const held = [await claim(store, jobNo, 0), await claim(store, jobNo, 1), await claim(store, jobNo, 2)]
    const [first, again] = [intentOf(held[0]!, 0, { number: 1 }), intentOf(held[0]!, 0, { number: 2 })]
    const [open, later] = [intentOf(held[0]!, 1), intentOf(held[0]!, 2, { round: 1 })]
    const [next, beyond] = [intentOf(held[1]!, 3), intentOf(held[2]!, 4)]
    const thinking = { ...NO_USAGE, inputTokens: 40, cachedInputTokens: 8, cacheWriteTokens: 3, outputTokens: 9 }
    await record(store, held[0]!, { intents: [first, again, open, later] })
    await record(store, held[0]!, {
      facts: [
        factOf(first, { cause: 'schema_invalid' }),
        factOf(again, { usage: { ...thinking, reasoningTokens: 5 } }),
        factOf(later),
      ],
    })
    await record(store, held[1]!, { intents: [next] })
    await record(store, held[1]!, { facts: [factOf(next, { usage: NO_USAGE })] })
    await record(store, held[2]!, { intents: [beyond] })
    await record(store, held[2]!, { facts: [factOf(beyond)] })
    const { chunkNo: from } = held[0]!
    expect(await store.attempts.tokensOf(jobNo, { from, to: from + 1 })).toStrictEqual([
      { rowIndex: 0, round: 0, cachedTokens: 16, cacheWriteTokens: 3, reasoningTokens: 5 },
      { rowIndex: 2, round: 1, cachedTokens: 8, cacheWriteTokens: 0, reasoningTokens: 0 },
      { rowIndex: 3, round: 0, cachedTokens: 0, cacheWriteTokens: 0, reasoningTokens: 0 },
    ])
    expect(await store.attempts.tokensOf(jobNo, { from: from + 2, to: from + 9 })).toHaveLength(1)
    expect(await store.attempts.tokensOf(jobNo, { from: 99, to: 99 })).toStrictEqual([])
  })

  it('sums up states, causes, models and money', async () => {
    const { jobNo } = await queuedJob(store, [4])
    const held = await claim(store, jobNo, 0)
    const intents = [0, 1, 2, 3].map((row) => intentOf(held, row, row === 3 ? { model: 'openai/big' } : {}))
    await record(store, held, { intents })
    await record(store, held, {
      facts: [
        factOf(intents[0]!),
        factOf(intents[1]!, { cause: 'timeout', costNano: 0, usage: NO_USAGE }),
        factOf(intents[3]!, { cause: 'refused', costNano: null }),
      ],
    })
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ attempts: 3, open: 1, lost: 0 })
    await claim(store, jobNo, 0)
    expect(await store.attempts.ledger(jobNo)).toStrictEqual({
      attempts: 4,
      booked: 3,
      lost: 1,
      orphaned: 0,
      open: 0,
      inputTokens: 180,
      cachedTokens: 16,
      outputTokens: 18,
      costNano: 1_300,
      unpriced: 1,
      failedCostNano: 1_000,
      lostCostNano: 1_000,
      orphanedCostNano: 0,
      byCause: [
        { cause: 'refused', attempts: 1 },
        { cause: 'timeout', attempts: 1 },
      ],
      cacheWriteTokens: 0,
      reasoningTokens: 0,
      byModel: [
        {
          ...NO_SUMS,
          model: 'simulator/small',
          lane: 'live',
          attempts: 3,
          inputTokens: 140,
          cachedTokens: 8,
          outputTokens: 14,
          costNano: 1_300,
        },
        {
          ...NO_SUMS,
          model: 'openai/big',
          lane: 'live',
          attempts: 1,
          inputTokens: 40,
          cachedTokens: 8,
          outputTokens: 4,
          unpriced: 1,
        },
      ],
      prices: [],
      promptCache: { inputTokens: 80, cachedTokens: 16, cacheWriteTokens: 0, savedNano: null },
      byWay: [{ way: 'live', attempts: 4, costNano: 1_300, unpriced: 1, savedNano: null }],
    })
  })

  it('books the attempts of a dead holder as lost, at their worst case, with the next claim', async () => {
    const { jobNo } = await queuedJob(store, [3])
    const dead = await claim(store, jobNo, 0)
    await record(store, dead, { intents: [intentOf(dead, 0), intentOf(dead, 1, { worstCostNano: null })] })
    await answerRows(store, dead, [outcomeOf(2)])
    const next = await store.chunks.claim({ jobNo, chunkNo: 0 }, 'next', true, T + 9)
    expect(next).toMatchObject({ lost: 2, chunk: { counters: { attempts: 3, costNano: 1_300, unpriced: 1 } } })
    expect((await store.attempts.ofRow(jobNo, 0))[0]).toMatchObject({ state: 'lost', counts: false, endedAtMs: T + 9 })
    const { counters, ledger } = await bothSums(store, jobNo)
    expect(counters).toStrictEqual(ledger)
  })

  it('books them as well when their chunk is taken back', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const dead = await claim(store, jobNo, 0)
    const sent = intentOf(dead, 0)
    await record(store, dead, { intents: [sent] })
    await store.write((tx) => store.chunks.takeBack(tx, jobNo))
    expect((await bothSums(store, jobNo)).counters).toMatchObject({ attempts: 1, costNano: 1_000 })
    await record(store, dead, { facts: [factOf(sent)] })
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ orphaned: 1, lost: 0, open: 0 })
    const { counters, ledger } = await bothSums(store, jobNo)
    expect(counters).toStrictEqual(ledger)
    expect(counters).toMatchObject({ attempts: 1, costNano: 300 })
  })

  it('puts the real figures in the place of the worst case when a lost attempt was answered after all', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const frozen = await claim(store, jobNo, 0)
    const sent = [intentOf(frozen, 0), intentOf(frozen, 1, { worstCostNano: null })]
    await record(store, frozen, { intents: sent })
    const held = await claim(store, jobNo, 0)
    expect(await completeChunk(store, held, [outcomeOf(0), outcomeOf(1)])).toBe('last')
    const late = sent.map((intent) => factOf(intent))
    expect(await record(store, frozen, { facts: late })).toStrictEqual([frozen])
    expect(await record(store, frozen, { facts: late })).toStrictEqual([frozen])
    const ledger = { attempts: 4, booked: 2, orphaned: 2, lost: 0, costNano: 1_200, unpriced: 0 }
    expect(await store.attempts.ledger(jobNo)).toMatchObject(ledger)
    expect((await bothSums(store, jobNo)).counters).toStrictEqual((await bothSums(store, jobNo)).ledger)
  })

  it('leaves nothing open behind a chunk that has ended', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const held = await claim(store, jobNo, 0)
    const straggler = intentOf(held, 0)
    await record(store, held, { intents: [straggler] })
    await completeChunk(store, held, [outcomeOf(0)])
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ open: 0, lost: 1 })
    await record(store, held, { facts: [factOf(straggler)] })
    expect(await store.attempts.ledger(jobNo)).toMatchObject({ orphaned: 1, lost: 0, costNano: 600 })
    expect((await store.jobs.getByNo(jobNo))?.counters).toMatchObject({ attempts: 2, costNano: 600, succeeded: 1 })
  })

  it('adds up whatever happens, in any order', () => addsUp(store))
}
