import fc from 'fast-check'
import { beforeEach, expect, it } from 'vitest'
import type { AttemptIntent } from '../../src/domain/attempt.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { sha256 } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'
import {
  answerRows,
  bothSums,
  claim,
  completeChunk,
  factOf,
  failedOf,
  intentOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

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
      byModel: [
        { model: 'simulator/small', attempts: 3, costNano: 1_300 },
        { model: 'openai/big', attempts: 1, costNano: 0 },
      ],
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

  it('adds up whatever happens, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step(), { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = await newWorld(store)
        for (const one of steps) {
          await play(world, one)
          const { counters, ledger } = await bothSums(store, world.jobNo)
          expect(counters).toStrictEqual(ledger)
        }
        expect(await countedRows(world)).toStrictEqual(await storedRows(world))
      }),
      { numRuns: 40 },
    )
  })
}

/** What may happen to a job of two chunks of three rows; numbers pick among what there is at that moment. */
type Step =
  | { readonly do: 'claim'; readonly chunk: number }
  | {
      readonly do: 'send'
      readonly pick: number
      readonly row: number
      readonly priced: boolean
      readonly noted: boolean
    }
  | { readonly do: 'answer'; readonly pick: number; readonly priced: boolean; readonly ends: 'no' | 'ok' | 'failed' }
  | { readonly do: 'release' | 'complete' | 'fail'; readonly pick: number }
  | { readonly do: 'cancel'; readonly chunk: number }
  | { readonly do: 'retry' }

function step(): fc.Arbitrary<Step> {
  const pick = fc.nat(30)
  const chunk = fc.nat(1)
  const priced = fc.boolean()
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const), chunk }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('send' as const), pick, row: fc.nat(2), priced, noted: fc.boolean() }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        pick,
        priced,
        ends: fc.constantFrom('no' as const, 'ok' as const, 'failed' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'complete' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), chunk }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('retry' as const) }) },
  )
}

interface World {
  readonly store: Store
  readonly jobNo: number
  /** All claims that were ever made: stale holders go on as if nothing had happened. */
  readonly claims: ChunkClaim[]
  readonly sent: { readonly claim: ChunkClaim; readonly intent: AttemptIntent }[]
}

async function newWorld(store: Store): Promise<World> {
  const { jobNo } = await queuedJob(store, [3, 3])
  return { store, jobNo, claims: [], sent: [] }
}

async function play(world: World, one: Step): Promise<void> {
  const { store, jobNo, claims, sent } = world
  if (one.do === 'claim') {
    const claimed = await store.chunks.claim({ jobNo, chunkNo: one.chunk }, 'w', false, T)
    if (claimed !== null) claims.push({ jobNo, chunkNo: one.chunk, epoch: claimed.chunk.epoch })
    return
  }
  if (one.do === 'cancel') return void (await cancel(world, one.chunk))
  if (one.do === 'retry') return await retry(world)
  if (one.do === 'answer') return await answer(world, one)
  const held = claims[one.pick % Math.max(1, claims.length)]
  if (held === undefined) return
  if (one.do === 'send') {
    const { round } = (await store.jobs.getByNo(jobNo))!
    const worst = one.priced ? {} : { worstCostNano: null }
    const intent = intentOf(held, held.chunkNo * 3 + one.row, { round, ...worst })
    // Careless workers send without noting it, or although they were told that their claim has passed: it must be booked all the same.
    if (one.noted) await record(store, held, { intents: [intent] })
    sent.push({ claim: held, intent })
  } else if (one.do === 'release') await store.write((tx) => store.chunks.release(tx, held, 'ready'))
  else if (one.do === 'fail')
    await store.write(async (tx) => store.chunks.fail(tx, held, 'no', await pending(world, held.chunkNo), T))
  else if ((await pending(world, held.chunkNo)).length === 0)
    await store.write((tx) => store.chunks.complete(tx, held, T))
}

async function answer({ store, jobNo, sent }: World, one: Step & { do: 'answer' }): Promise<void> {
  const attempt = sent[one.pick % Math.max(1, sent.length)]
  if (attempt === undefined) return
  const { claim: held, intent } = attempt
  const ended = await store.rows.get(jobNo, intent.rowIndex)
  const made = one.ends === 'ok' ? outcomeOf : failedOf
  const outcomes = one.ends === 'no' || ended !== null ? [] : [made(intent.rowIndex, { attempts: (one.pick % 3) + 1 })]
  const usage = { ...NO_USAGE, inputTokens: one.pick, cachedInputTokens: one.pick % 7, outputTokens: 3 }
  const facts = [factOf(intent, { usage, costNano: one.priced ? one.pick * 11 : null })]
  await record(store, held, { facts, outcomes })
}

async function pending({ store, jobNo }: World, chunkNo: number) {
  const ended = await store.rows.ended(jobNo, chunkNo * 3, 3)
  return [0, 1, 2]
    .map((row) => chunkNo * 3 + row)
    .filter((row) => !ended.has(row))
    .map((index) => ({ index, id: String(index) }))
}

async function cancel(world: World, chunkNo: number): Promise<boolean> {
  const open = await pending(world, chunkNo)
  const { store, jobNo } = world
  return await store.write((tx) => store.chunks.cancelOpen(tx, { jobNo, chunkNo }, open, T))
}

async function retry({ store, jobNo }: World): Promise<void> {
  const { round, state } = (await store.jobs.getByNo(jobNo))!
  await store.write(async (tx) => {
    if (state === 'finalizing') await store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T })
    else if (!(await store.jobs.change(tx, jobNo, ['queued', 'running'], { to: 'failed', atMs: T }))) return
    await store.rows.reopen(tx, jobNo, round + 1, {})
    await store.jobs.openRound(tx, jobNo, { round: round + 1, specHash: sha256('spec'), selection: '{}', atMs: T })
  })
}

async function countedRows({ store, jobNo }: World) {
  const { counters } = await store.jobs.progress(jobNo)
  const { succeeded, failed, cancelled, retried } = counters
  return { succeeded, failed, cancelled, retried }
}

async function storedRows({ store, jobNo }: World) {
  const rows = await store.rows.list(jobNo, 0, 100)
  const count = (state: string) => rows.filter((row) => row.state === state).length
  const retried = rows.filter((row) => row.attempts > 1).length
  return { succeeded: count('succeeded'), failed: count('failed'), cancelled: count('cancelled'), retried }
}
