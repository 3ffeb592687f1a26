import { beforeEach, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { sha256 } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'
import {
  answerRows,
  bothSums,
  claim,
  closeManifest,
  completeChunk,
  factOf,
  failedOf,
  intentOf,
  newJob,
  outcomeOf,
  queuedJob,
  record,
  SPEC_HASH,
  type StoreUnderTest,
  segmentOf,
  T,
} from './store-fixture.ts'

/** How often each race is run: who comes first differs from time to time. */
const ROUNDS = 8

/** Two processes that do at the same moment what does not go together. */
export function racesConformance(under: () => StoreUnderTest): void {
  let one: Store
  let two: Store
  beforeEach(async () => {
    one = under().store
    two = await under().openAnother()
  })
  const read = async (jobNo: number) => (await one.jobs.getByNo(jobNo))!
  const again = async (race: () => Promise<void>) => {
    for (let round = 0; round < ROUNDS; round += 1) await race()
  }

  it('tells exactly one of two that its chunk was the last', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [1, 1])
      const held = [await claim(one, jobNo, 0), await claim(two, jobNo, 1)] as const
      const ends = await Promise.all([
        completeChunk(one, held[0], [outcomeOf(0)]),
        completeChunk(two, held[1], [outcomeOf(1)]),
      ])
      expect(ends.toSorted()).toStrictEqual(['completed', 'last'])
      expect(await read(jobNo)).toMatchObject({ state: 'finalizing', openChunks: 0 })
      expect((await one.chunks.listDone(jobNo, 0, 9)).map((chunk) => chunk.doneNo)).toStrictEqual([1, 2])
    }))

  it('lets one of two finalizers end the job', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [1])
      await completeChunk(one, await claim(one, jobNo, 0), [outcomeOf(0)])
      const finalize = (side: Store, to: 'completed' | 'failed') =>
        side.write((tx) => side.jobs.change(tx, jobNo, ['finalizing'], { to, atMs: T }))
      const changed = await Promise.all([finalize(one, 'completed'), finalize(two, 'failed')])
      expect(changed.toSorted()).toStrictEqual([false, true])
      expect((await read(jobNo)).state).toBe(changed[0] ? 'completed' : 'failed')
    }))

  it('lets one of two retries open the round, and takes the rows back once', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [2, 1])
      await completeChunk(one, await claim(one, jobNo, 0), [failedOf(0), outcomeOf(1)])
      await completeChunk(one, await claim(one, jobNo, 1), [failedOf(2)])
      await one.write((tx) => one.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T }))
      const retry = (side: Store) =>
        side.write(async (tx) => {
          const { rows } = await side.rows.reopen(tx, jobNo, 1, {})
          const round = { round: 1, specHash: SPEC_HASH, selection: '{}', atMs: T }
          if (!(await side.jobs.openRound(tx, jobNo, round))) throw new SluiceError('job_state', 'somebody else')
          return rows
        })
      const results = await Promise.allSettled([retry(one), retry(two)])
      expect(results.filter(({ status }) => status === 'fulfilled')).toStrictEqual([{ status: 'fulfilled', value: 2 }])
      expect(await read(jobNo)).toMatchObject({ state: 'queued', round: 1, openChunks: 2 })
      const { counters } = await one.jobs.progress(jobNo)
      expect(counters).toMatchObject({ succeeded: 1, failed: 0 })
    }))

  it('leaves no chunk held in a job that pauses while its chunks are claimed', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [1, 1, 1, 1])
      const claims = [0, 1, 2, 3].map((chunkNo) => two.chunks.claim({ jobNo, chunkNo }, 'late', false, T))
      const pausing = one.write(async (tx) => {
        await one.chunks.takeBack(tx, jobNo)
        return one.jobs.change(tx, jobNo, ['queued', 'running'], { to: 'paused', reason: 'user', atMs: T })
      })
      await Promise.all([...claims, pausing])
      expect(await read(jobNo)).toMatchObject({ state: 'paused' })
      expect(await one.chunks.open(jobNo)).toHaveLength(4)
    }))

  it('never loses a wish to cancel to a pause that comes true', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [1])
      await one.jobs.want(jobNo, 'pause', 'user')
      await Promise.all([
        one.write((tx) => one.jobs.change(tx, jobNo, ['queued'], { to: 'paused', atMs: T })),
        two.jobs.want(jobNo, 'cancel'),
      ])
      expect(await read(jobNo)).toMatchObject({ state: 'paused', wanted: 'cancel' })
    }))

  it('never ends a job as cancelled over a chunk that intake has just added', () =>
    again(async () => {
      const { job } = await one.jobs.create(newJob())
      const [added, ended] = await Promise.allSettled([
        one.chunks.appendSegment(segmentOf(job.jobNo, [1])),
        two.write((tx) => two.jobs.change(tx, job.jobNo, ['created'], { to: 'cancelled', closed: true, atMs: T })),
      ])
      const { state, openChunks } = await read(job.jobNo)
      expect(ended).toStrictEqual({ status: 'fulfilled', value: state === 'cancelled' })
      expect(openChunks).toBe(added?.status === 'fulfilled' ? 1 : 0)
      expect(state === 'cancelled' && openChunks > 0).toBe(false)
    }))

  it('cancels no chunk that somebody is just claiming', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [1])
      const [claimed, cancelled] = await Promise.all([
        one.chunks.claim({ jobNo, chunkNo: 0 }, 'w', false, T),
        two.write((tx) => two.chunks.cancelOpen(tx, { jobNo, chunkNo: 0 }, [{ index: 0, id: '0' }], T)),
      ])
      expect([claimed === null, cancelled]).toStrictEqual(cancelled ? [true, true] : [false, false])
    }))

  it('lets either the holder write a row or the next one take its chunk, and both add up', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [3])
      const held = await claim(one, jobNo, 0)
      const intents = [intentOf(held, 0), intentOf(held, 1)]
      await record(one, held, { intents })
      const [passed, taken] = await Promise.all([
        record(one, held, { facts: intents.map((intent) => factOf(intent)), outcomes: [outcomeOf(0)] }),
        claim(two, jobNo, 0, 'next'),
      ])
      expect((await one.rows.get(jobNo, 0)) === null).toBe(passed.length > 0)
      expect(await record(two, taken, { outcomes: [outcomeOf(2)] })).toStrictEqual([])
      const { counters, ledger } = await bothSums(one, jobNo)
      expect(counters).toStrictEqual(ledger)
    }))

  it('writes the same answers by two at once', () =>
    again(async () => {
      const { jobNo } = await queuedJob(one, [40, 40])
      const held = [await claim(one, jobNo, 0), await claim(two, jobNo, 1)] as const
      const rows = Array.from({ length: 40 }, (_, n) => n)
      const answer = (row: number, n: number) => outcomeOf(row, { requestHash: sha256(`request ${n}`) })
      await Promise.all([
        record(one, held[0], { outcomes: rows.map((n) => answer(n, n)), answerScope: 'spec:x' }),
        record(two, held[1], { outcomes: rows.map((n) => answer(40 + n, 39 - n)), answerScope: 'spec:x' }),
      ])
      const found = await one.answers.find(
        1,
        'spec:x',
        rows.map((n) => sha256(`request ${n}`)),
      )
      expect(found.size).toBe(40)
    }))

  it('takes each segment and each end of the input once, whoever reads it', () =>
    again(async () => {
      const { job } = await one.jobs.create(newJob())
      const both = await Promise.allSettled(
        [one, two].map((side) => side.chunks.appendSegment(segmentOf(job.jobNo, [2]))),
      )
      expect(both.map(({ status }) => status).toSorted()).toStrictEqual(['fulfilled', 'rejected'])
      expect(await read(job.jobNo)).toMatchObject({ rowsTotal: 2, chunksTotal: 1, openChunks: 1 })
      await closeManifest(two, job.jobNo)
    }))

  it('completes several chunks of several jobs in any order by two at once', () =>
    again(async () => {
      const jobs = [await queuedJob(one, [1, 1]), await queuedJob(one, [1, 1])]
      const end = async (side: Store, chunkNo: number, order: readonly number[]) => {
        const held = await Promise.all(order.map((n) => claim(side, jobs[n]!.jobNo, chunkNo)))
        for (const chunk of held) await answerRows(side, chunk, [outcomeOf(chunkNo)])
        await side.write(async (tx) => {
          for (const chunk of held) await side.chunks.complete(tx, chunk, T)
        })
      }
      await Promise.all([end(one, 0, [0, 1]), end(two, 1, [1, 0])])
      for (const { jobNo } of jobs) expect(await read(jobNo)).toMatchObject({ state: 'finalizing' })
    }))
}
