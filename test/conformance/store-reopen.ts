import { beforeEach, expect, it } from 'vitest'
import { sha256 } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'
import {
  answerRows,
  claim,
  completeChunk,
  failedOf,
  outcomeOf,
  queuedJob,
  type StoreUnderTest,
  T,
} from './store-fixture.ts'

/** New rounds: what is taken back, and that everything adds up again. */
export function reopenConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const read = async (jobNo: number) => (await store.jobs.getByNo(jobNo))!
  const endedJob = async () => {
    const line = { index: 5, line: 6, file: 'a.csv', message: 'bad', excerpt: 'x', chunkNo: 2 }
    const { jobNo } = await queuedJob(store, [2, 2, 2], {}, { unreadable: [line] })
    await completeChunk(store, await claim(store, jobNo, 0), [
      outcomeOf(0),
      failedOf(1, { attempts: 3, fallback: true }),
    ])
    await completeChunk(store, await claim(store, jobNo, 1), [
      failedOf(2, { cause: 'refused', rowId: 'T-2' }),
      failedOf(3, { state: 'cancelled', cause: 'cancelled' }),
    ])
    await completeChunk(store, await claim(store, jobNo, 2), [outcomeOf(4, { state: 'skipped' })])
    await store.write((tx) => store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T }))
    return jobNo
  }
  const reopen = (jobNo: number, selection: Parameters<Store['rows']['reopen']>[3]) =>
    store.write(async (tx) => {
      const reopened = await store.rows.reopen(tx, jobNo, 1, selection)
      const round = { round: 1, specHash: sha256('second spec'), selection: '{}', atMs: T }
      expect(await store.jobs.openRound(tx, jobNo, round)).toBe(true)
      return reopened
    })

  it('takes back failed and cancelled rows, never others nor unreadable lines, and lowers the totals', async () => {
    const jobNo = await endedJob()
    const before = (await read(jobNo)).counters
    expect(before).toMatchObject({ succeeded: 1, failed: 3, skipped: 1, cancelled: 1, retried: 1, fallback: 1 })
    expect(await reopen(jobNo, {})).toStrictEqual({ rows: 3, chunks: [0, 1] })
    const progress = await store.jobs.progress(jobNo)
    const { job, counters, chunksDone } = progress
    expect(await store.jobs.progressOf([])).toStrictEqual([])
    const other = await endedJob()
    const all = await store.jobs.progressOf([other, 99_999, jobNo])
    expect(all).toStrictEqual([await store.jobs.progress(other), progress])
    expect(job).toMatchObject({ openChunks: 2, state: 'queued', round: 1 })
    expect(chunksDone).toBe(1)
    expect(counters).toStrictEqual({ ...before, failed: 1, cancelled: 0, retried: 0, fallback: 0 })
    expect(await store.rows.ended(jobNo, 0, 6)).toStrictEqual(new Set([0, 4, 5]))
    expect(await store.chunks.get({ jobNo, chunkNo: 0 })).toMatchObject({ state: 'ready', round: 1, doneNo: null })
  })

  it.each([
    [{ causes: ['refused'] }, [2]],
    [{ causes: ['cancelled'] }, [3]],
    [{ chunkNos: [1] }, [2, 3]],
    [{ chunkNos: [0, 2] }, [1]],
    [{ rowIds: ['1', 'T-2', '3', '2'] }, [1, 2, 3]],
    [{ rowIds: ['3'], causes: ['cancelled'] }, [3]],
    [{ rowIds: ['3'], causes: ['refused'] }, []],
    [{ causes: ['input_unreadable'] }, []],
    [{ causes: [] }, []],
  ] as const)('takes back what meets all of %j', async (selection, rows) => {
    const jobNo = await endedJob()
    const reopened = await reopen(jobNo, selection)
    expect(reopened.rows).toBe(rows.length)
    const all = [0, 1, 2, 3, 4, 5].filter((row) => !(rows as readonly number[]).includes(row))
    expect(await store.rows.ended(jobNo, 0, 6)).toStrictEqual(new Set(all))
  })

  it('adds up again when the round has run', async () => {
    const jobNo = await endedJob()
    await reopen(jobNo, { chunkNos: [1] })
    const held = await claim(store, jobNo, 1)
    expect(held.epoch).toBe(2)
    const again = [2, 3].map((row) => outcomeOf(row, { round: 1, specHash: sha256('second spec') }))
    expect(await completeChunk(store, held, again)).toBe('last')
    const { counters } = await read(jobNo)
    expect(counters).toMatchObject({ succeeded: 3, failed: 2, cancelled: 0, attempts: 7, costNano: 2_100 })
    expect((await store.chunks.get({ jobNo, chunkNo: 1 }))?.doneNo).toBe(4)
    const past = await store.attempts.ofChunk({ jobNo, chunkNo: 1 }, 1)
    expect([...past.keys()].sort()).toStrictEqual([2, 3])
    expect(past.get(2)).toHaveLength(1)
    expect(await store.attempts.ofRow(jobNo, 2)).toHaveLength(2)
  })

  it('takes back rows of a chunk that is still open', async () => {
    const { jobNo } = await queuedJob(store, [2])
    const held = await claim(store, jobNo, 0)
    await answerRows(store, held, [failedOf(0)])
    await store.write((tx) => store.chunks.release(tx, held, 'ready'))
    await store.write((tx) => store.jobs.change(tx, jobNo, ['running'], { to: 'failed', atMs: T }))
    expect(await reopen(jobNo, {})).toStrictEqual({ rows: 1, chunks: [0] })
    const { job, counters } = await store.jobs.progress(jobNo)
    expect(job.openChunks).toBe(1)
    expect(counters).toMatchObject({ failed: 0, attempts: 1 })
  })
}
