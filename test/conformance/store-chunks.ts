import { beforeEach, describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import {
  answerRows,
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

/** The manifest, and who works on which chunk. */
export function chunksConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const state = async (jobNo: number, chunkNo: number) => (await store.chunks.get({ jobNo, chunkNo }))!.state
  const read = async (jobNo: number) => (await store.jobs.getByNo(jobNo))!
  const want = (jobNo: number, chunkNo: number) => store.chunks.claim({ jobNo, chunkNo }, 'late', false, T)

  describe('claims', () => {
    it('raises the epoch with each claim; the job runs with the first', async () => {
      const { jobNo } = await queuedJob(store, [2, 2])
      const first = await store.chunks.claim({ jobNo, chunkNo: 0 }, 'one', false, T + 7)
      expect(first).toMatchObject({ lost: 0, chunk: { state: 'leased', epoch: 1, owner: 'one', deaths: 0 } })
      expect(first?.job).toMatchObject({ state: 'running', startedAtMs: T + 7 })
      const second = await store.chunks.claim({ jobNo, chunkNo: 0 }, 'two', true, T + 8)
      expect(second).toMatchObject({ lost: 0, chunk: { epoch: 2, owner: 'two', deaths: 1 } })
      expect((await store.jobs.progress(jobNo)).chunksLeased).toBe(1)
      expect(await store.chunks.open(jobNo)).toStrictEqual([{ jobNo, chunkNo: 1 }])
    })

    it('is refused in a job that is not to be worked on, and for a chunk that has ended or is not there', async () => {
      const { jobNo } = await queuedJob(store, [1, 1])
      expect(await want(jobNo, 9)).toBeNull()
      await store.jobs.want(jobNo, 'pause', 'user')
      expect(await want(jobNo, 0)).toBeNull()
      await store.jobs.want(jobNo, null)
      await store.write((tx) => store.jobs.change(tx, jobNo, ['queued'], { to: 'paused', atMs: T }))
      expect(await want(jobNo, 0)).toBeNull()
      await store.write((tx) => store.jobs.change(tx, jobNo, ['paused'], { to: 'queued', atMs: T }))
      await completeChunk(store, await claim(store, jobNo, 0), [outcomeOf(0)])
      expect(await want(jobNo, 0)).toBeNull()
      expect(await state(jobNo, 0)).toBe('done')
    })

    it('gives two processes that claim at once different epochs, of which the later one holds', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const another = await under().openAnother()
      const claims = await Promise.all([claim(store, jobNo, 0, 'one'), claim(another, jobNo, 0, 'two')])
      const [stale, held] = claims.sort((a, b) => a.epoch - b.epoch)
      expect([stale!.epoch, held!.epoch]).toStrictEqual([1, 2])
      expect(await record(store, stale!, { outcomes: [outcomeOf(0)] })).toStrictEqual([stale])
      expect(await record(another, held!, { outcomes: [outcomeOf(0)] })).toStrictEqual([])
    })

    it('gives a chunk back only for its holder', async () => {
      const { jobNo } = await queuedJob(store, [2, 2])
      const stale = await claim(store, jobNo, 0)
      const held = await claim(store, jobNo, 0)
      const release = (one: typeof held, to: 'ready' | 'parked') =>
        store.write((tx) => store.chunks.release(tx, one, to))
      expect(await release(stale, 'ready')).toBe(false)
      expect(await state(jobNo, 0)).toBe('leased')
      expect(await release(held, 'parked')).toBe(true)
      expect(await state(jobNo, 0)).toBe('parked')
      expect(await release(held, 'ready')).toBe(false)
      expect(await store.chunks.open(jobNo)).toHaveLength(2)
      expect(await claim(store, jobNo, 0)).toMatchObject({ epoch: 3 })
    })

    it('takes all chunks of a job back from their holders, who can write no more', async () => {
      const { jobNo } = await queuedJob(store, [1, 1, 1])
      const held = [await claim(store, jobNo, 0), await claim(store, jobNo, 1)]
      await store.write(async (tx) => {
        await store.chunks.takeBack(tx, jobNo)
        expect(await store.chunks.open(jobNo, tx)).toHaveLength(3)
        expect(await store.chunks.open(jobNo)).toHaveLength(1)
      })
      expect((await store.jobs.progress(jobNo)).chunksLeased).toBe(0)
      for (const one of held) expect(await record(store, one, { outcomes: [outcomeOf(0)] })).toHaveLength(1)
      expect(await store.rows.get(jobNo, 0)).toBeNull()
      expect(await claim(store, jobNo, 0)).toMatchObject({ epoch: 2 })
    })

    it('forgives deaths', async () => {
      const { jobNo } = await queuedJob(store, [1])
      for (const _ of [1, 2]) await store.chunks.claim({ jobNo, chunkNo: 0 }, 'w', true, T)
      expect((await store.chunks.get({ jobNo, chunkNo: 0 }))?.deaths).toBe(2)
      await store.write((tx) => store.chunks.forgiveDeaths(tx, jobNo))
      expect((await store.chunks.get({ jobNo, chunkNo: 0 }))?.deaths).toBe(0)
    })

    it('forgives the deaths of a chunk whose rows end', async () => {
      const { jobNo } = await queuedJob(store, [3])
      const ref = { jobNo, chunkNo: 0 }
      const deaths = async () => (await store.chunks.get(ref))?.deaths
      for (const _ of [1, 2]) await store.chunks.claim(ref, 'w', true, T)
      const held = (await store.chunks.claim(ref, 'w', true, T))!.chunk
      await record(store, held, { facts: [factOf(intentOf(held, 0), { cause: 'timeout' })] })
      expect(await deaths()).toBe(3)
      await answerRows(store, held, [outcomeOf(0)])
      expect(await deaths()).toBe(0)
      await store.chunks.claim(ref, 'w', true, T)
      expect(await deaths()).toBe(1)
    })
  })

  describe('ends', () => {
    it('hands the counters to the job, numbers the chunks as they end, and tells the last', async () => {
      const { jobNo } = await queuedJob(store, [2, 1])
      const second = await claim(store, jobNo, 1)
      const first = await claim(store, jobNo, 0)
      expect(await completeChunk(store, second, [failedOf(2)])).toBe('completed')
      expect((await read(jobNo)).state).toBe('running')
      const progress = await store.jobs.progress(jobNo)
      expect(progress).toMatchObject({ chunksDone: 1, chunksLeased: 1, counters: { failed: 1, attempts: 1 } })
      const rows = [outcomeOf(0, { attempts: 2, fallback: true }), outcomeOf(1, { lane: 'cache' })]
      expect(await completeChunk(store, first, rows)).toBe('last')
      const job = await read(jobNo)
      expect(job).toMatchObject({ state: 'finalizing', openChunks: 0 })
      const sums = { attempts: 3, inputTokens: 120, cachedTokens: 24, outputTokens: 12, costNano: 900 }
      const counts = { succeeded: 2, failed: 1, cached: 1, retried: 1, fallback: 1 }
      expect(job.counters).toStrictEqual({ ...NO_COUNTS, ...counts, ...sums })
      expect((await store.jobs.progress(jobNo)).counters).toStrictEqual(job.counters)
      const chunks = await store.chunks.list(jobNo, 0, 9)
      expect(chunks.map(({ state, doneNo, owner }) => ({ state, doneNo, owner }))).toStrictEqual([
        { state: 'done', doneNo: 2, owner: null },
        { state: 'done', doneNo: 1, owner: null },
      ])
    })

    it('is refused to whoever holds the chunk no more', async () => {
      const { jobNo } = await queuedJob(store, [1])
      const stale = await claim(store, jobNo, 0)
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [outcomeOf(0)])
      const complete = (one: typeof held) => store.write((tx) => store.chunks.complete(tx, one, T))
      expect(await complete(stale)).toBe('stale')
      expect(await state(jobNo, 0)).toBe('leased')
      expect(await complete(held)).toBe('last')
      expect(await complete(held)).toBe('stale')
      expect(await store.write((tx) => store.chunks.fail(tx, held, 'no', [], T))).toBe('stale')
      expect((await read(jobNo)).counters.succeeded).toBe(1)
    })

    it('never closes a chunk over a row without outcome', async () => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [outcomeOf(0)])
      const closing = store.write((tx) => store.chunks.complete(tx, held, T))
      await expect(closing).rejects.toMatchObject({ code: 'internal' })
      expect(await state(jobNo, 0)).toBe('leased')
      expect((await read(jobNo)).openChunks).toBe(1)
    })

    it('finalizes also a job that was paused before its last chunk ended', async () => {
      const { jobNo } = await queuedJob(store, [1])
      const held = await claim(store, jobNo, 0)
      await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'paused', atMs: T }))
      expect(await completeChunk(store, held, [outcomeOf(0)])).toBe('last')
    })

    it('makes dead letters of the open rows of a chunk that fails, with what they have used', async () => {
      const { jobNo } = await queuedJob(store, [3, 1])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [outcomeOf(0)])
      await record(store, held, { intents: [intentOf(held, 1), intentOf(held, 1, { worstCostNano: null })] })
      const pending = [
        { index: 1, id: 'b' },
        { index: 2, id: 'c' },
      ]
      expect(await store.write((tx) => store.chunks.fail(tx, held, 'died 3 times', pending, T + 9))).toBe('completed')
      const failed = { state: 'failed', cause: 'chunk_failed', message: 'died 3 times', attempts: 0 }
      expect(await store.rows.byId(jobNo, 'b')).toMatchObject({
        ...failed,
        rowIndex: 1,
        inputTokens: 200,
        costNano: null,
      })
      expect(await store.rows.byId(jobNo, 'c')).toMatchObject({
        ...failed,
        inputTokens: 0,
        costNano: 0,
        endedAtMs: T + 9,
      })
      expect(await state(jobNo, 0)).toBe('failed')
      expect((await read(jobNo)).counters).toMatchObject({ succeeded: 1, failed: 2, attempts: 3, unpriced: 1 })
      expect(await completeChunk(store, await claim(store, jobNo, 1), [outcomeOf(3)])).toBe('last')
    })

    it('cancels open chunks only when none is held; it can be repeated', async () => {
      const { jobNo } = await queuedJob(store, [2, 2])
      const held = await claim(store, jobNo, 1)
      const cancel = (chunkNo: number, indices: readonly number[]) =>
        store.write((tx) =>
          store.chunks.cancelOpen(
            tx,
            { jobNo, chunkNo },
            indices.map((index) => ({ index, id: String(index) })),
            T,
          ),
        )
      expect(await cancel(0, [0, 1])).toBe(false)
      expect(await state(jobNo, 0)).toBe('ready')
      await answerRows(store, held, [outcomeOf(2)])
      await record(store, held, { intents: [intentOf(held, 3)] })
      await store.write((tx) => store.chunks.release(tx, held, 'ready'))
      expect(await cancel(0, [0, 1])).toBe(true)
      expect(await cancel(1, [3])).toBe(true)
      expect(await cancel(1, [3])).toBe(true)
      expect(await store.rows.get(jobNo, 3)).toMatchObject({ state: 'cancelled', cause: 'cancelled', costNano: 1_000 })
      const job = await read(jobNo)
      expect(job).toMatchObject({ state: 'running', openChunks: 0 })
      expect(job.counters).toMatchObject({ succeeded: 1, cancelled: 3, attempts: 2, costNano: 1_300 })
      expect(await store.jobs.list(DEFAULT_TENANT, { limit: 1, states: ['finalizing'] })).toStrictEqual([])
    })
  })
}
