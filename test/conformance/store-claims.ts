import { beforeEach, expect, it } from 'vitest'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { sha256 } from '../../src/runtime.ts'
import type { AnswerClaim } from '../../src/store/role/answers.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { answered, collect, newPart, park, planned } from './batches-fixture.ts'
import {
  answerRows,
  claim,
  completeChunk,
  failedOf,
  outcomeOf,
  queuedJob,
  record,
  type StoreUnderTest,
} from './store-fixture.ts'

const SCOPE = 'spec:triage'
const hashOf = (row: number) => sha256(`request ${row}`)

/** Who may ask a request: one at a time, over all workers. */
export function claimsConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })

  /** Claims requests for rows of the chunk, each for one of its own, and says what became of each. */
  const ask = async (held: ChunkClaim, rows: readonly number[], from: Store = store, scope = SCOPE) => {
    const source = (row: number) => ({ ...held, rowIndex: held.chunkNo * 1_000 + row })
    const wishes = rows.map((row) => ({ requestHash: hashOf(row), by: source(row), over: null }))
    const claims = await from.answers.claim(DEFAULT_TENANT, scope, wishes)
    return rows.map((row) => claims.get(hashOf(row)) as AnswerClaim)
  }
  const kinds = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).map(({ kind }) => kind)
  /** Two chunks of a job, held by two workers; both have rows 0 and 1 in mind. */
  const twoChunks = async () => {
    const { jobNo } = await queuedJob(store, [10, 10])
    return [await claim(store, jobNo, 0, 'one'), await claim(store, jobNo, 1, 'two')] as const
  }

  it('go to the first who asks; the others learn who has them', async () => {
    const [one, two] = await twoChunks()
    expect(await kinds(one, [0, 1])).toEqual(['mine', 'mine'])
    expect(await ask(two, [0, 2])).toEqual([
      { kind: 'held', owner: 'one', source: { ...one, rowIndex: 0 } },
      { kind: 'mine' },
    ])
    // Whoever asks again what he has, has it.
    expect(await kinds(one, [0, 1, 2])).toEqual(['mine', 'mine', 'held'])
    expect(await kinds(two, [0], store, 'job:7')).toEqual(['mine'])
    expect(await kinds(two, [])).toEqual([])
    expect((await store.answers.find(DEFAULT_TENANT, SCOPE, [hashOf(0)])).size).toBe(0)
  })

  it('become the answer with the row’s outcome, with nothing more to be written', async () => {
    const [one, two] = await twoChunks()
    await ask(one, [0])
    await answerRows(store, one, [outcomeOf(0, { output: '{"n":"first"}' })])
    const [found] = await ask(two, [0])
    expect(found).toMatchObject({
      kind: 'answered',
      source: { ...one, rowIndex: 0 },
      outcome: { output: '{"n":"first"}' },
    })
    expect((await store.answers.find(DEFAULT_TENANT, SCOPE, [hashOf(0)])).size).toBe(1)
  })

  it('are free again when their row has failed', async () => {
    const [one, two] = await twoChunks()
    await ask(one, [0])
    await answerRows(store, one, [failedOf(0)])
    expect(await kinds(two, [0])).toEqual(['mine'])
    expect(await kinds(one, [0])).toEqual(['held'])
  })

  it('are free again when their chunk was given back, was taken by another, or failed', async () => {
    const [one, two] = await twoChunks()
    await ask(one, [0])
    await store.write((tx) => store.chunks.release(tx, one, 'ready'))
    expect(await kinds(two, [0])).toEqual(['mine'])
    await store.write((tx) => store.chunks.release(tx, two, 'parked'))
    const again = await claim(store, one.jobNo, 0, 'three')
    expect(await kinds(again, [0])).toEqual(['mine'])
    const taken = await claim(store, one.jobNo, 0, 'four')
    expect(await kinds(again, [0])).toEqual(['mine'])
    expect(await kinds(taken, [0])).toEqual(['mine'])
    const pending = Array.from({ length: 10 }, (_, index) => ({ index, id: String(index) }))
    await store.write((tx) => store.chunks.fail(tx, taken, 'died', pending, 1))
    expect(await kinds(await claim(store, one.jobNo, 1), [0])).toEqual(['mine'])
  })

  it('are free again where a new round takes their row back', async () => {
    const { jobNo } = await queuedJob(store, [1])
    const held = await claim(store, jobNo, 0)
    await ask(held, [0])
    await completeChunk(store, held, [failedOf(0)])
    await store.write((tx) => store.rows.reopen(tx, jobNo, 1, {}))
    const other = await queuedJob(store, [1])
    expect(await kinds(await claim(store, other.jobNo, 0), [0])).toEqual(['mine'])
  })

  it('stand while their chunk has something in a batch, through all of its claims', async () => {
    const [one, two] = await twoChunks()
    await ask(one, [0, 1])
    const [part] = await park(store, one, [newPart(one, [0])])
    expect(await ask(two, [0])).toMatchObject([{ kind: 'held', owner: null, source: { rowIndex: 0 } }])
    await collect(store, await planned(store, [part!]), answered([part!]))
    const back = await claim(store, one.jobNo, 0, 'three')
    expect(await ask(two, [0, 1])).toMatchObject([{ kind: 'held', owner: 'three' }, { kind: 'held' }])
    // The row itself goes on under the claim of today, and is not fenced off by that of yesterday.
    expect(await kinds(back, [0])).toEqual(['mine'])
    expect(await kinds(one, [0])).toEqual(['held'])
    await store.write((tx) => store.batches.close(tx, [part!.id]))
    expect(await kinds(two, [0, 1])).toEqual(['held', 'mine'])
    await answerRows(store, back, [outcomeOf(0)])
    expect(await kinds(two, [0])).toEqual(['answered'])
  })

  it('can be taken over by whoever has seen who has them, and by nobody else', async () => {
    const [one, two] = await twoChunks()
    await ask(one, [0, 1])
    await answerRows(store, one, [outcomeOf(0)])
    const over = (row: number, from: ChunkClaim) => ({ ...from, rowIndex: row })
    const take = async (row: number, from: ChunkClaim) => {
      const wish = { requestHash: hashOf(row), by: { ...two, rowIndex: 10 + row }, over: over(row, from) }
      return (await store.answers.claim(DEFAULT_TENANT, SCOPE, [wish])).get(hashOf(row))
    }
    expect(await take(0, one)).toEqual({ kind: 'mine' })
    expect(await take(1, { ...one, epoch: 9 })).toMatchObject({ kind: 'held', owner: 'one' })
    expect(await take(1, one)).toEqual({ kind: 'mine' })
    expect(await ask(one, [0, 1])).toMatchObject([
      { kind: 'held', owner: 'two', source: { rowIndex: 10 } },
      { kind: 'held', owner: 'two', source: { rowIndex: 11 } },
    ])
    // An answer that was there is found until there is another.
    await record(store, two, { outcomes: [outcomeOf(10, { requestHash: hashOf(0), output: '{"n":"new"}' })] })
    expect((await store.answers.find(DEFAULT_TENANT, SCOPE, [hashOf(0)])).get(hashOf(0))?.output).toBe('{"n":"new"}')
  })

  it('go to exactly one of many who ask at once, in whatever order', async () => {
    const stores = [store, await under().openAnother(), await under().openAnother()]
    try {
      for (let time = 0; time < 8; time += 1) {
        const { jobNo } = await queuedJob(store, [30, 30, 30])
        const held = await Promise.all(stores.map((_, n) => claim(store, jobNo, n, `worker ${n}`)))
        const rows = Array.from({ length: 30 }, (_, n) => n)
        const orders = [rows, rows.toReversed(), rows.toSorted((a, b) => ((a * 7) % 30) - ((b * 7) % 30))]
        const won = await Promise.all(
          stores.map(async (from, n) => {
            const order = orders[n] as readonly number[]
            const claims = await ask(held[n] as ChunkClaim, order, from, `job:${jobNo}`)
            return order.filter((_, at) => claims[at]?.kind === 'mine')
          }),
        )
        expect(won.flat().toSorted((a, b) => a - b)).toEqual(rows)
      }
    } finally {
      await Promise.all(stores.slice(1).map((one) => one.close()))
    }
  })

  it('are taken over from one who has failed by exactly one of many', async () => {
    const stores = [store, await under().openAnother()]
    try {
      for (let time = 0; time < 8; time += 1) {
        const { jobNo } = await queuedJob(store, [30, 30, 30])
        const gone = await claim(store, jobNo, 2)
        const scope = `job:${jobNo}`
        const rows = Array.from({ length: 30 }, (_, n) => n)
        await ask(gone, rows, store, scope)
        await store.write((tx) => store.chunks.release(tx, gone, 'ready'))
        const held = await Promise.all(stores.map((_, n) => claim(store, jobNo, n, `worker ${n}`)))
        const claims = await Promise.all(stores.map((from, n) => ask(held[n] as ChunkClaim, rows, from, scope)))
        const winners = rows.map((row) => claims.filter((one) => one[row]?.kind === 'mine').length)
        expect(winners).toEqual(rows.map(() => 1))
      }
    } finally {
      await stores[1]?.close()
    }
  })
}
