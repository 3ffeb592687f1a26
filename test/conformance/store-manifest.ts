import { beforeEach, expect, it } from 'vitest'
import { NO_COUNTS } from '../../src/domain/job.ts'
import { sha256 } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'
import {
  claim,
  closeManifest,
  completeChunk,
  newJob,
  outcomeOf,
  queuedJob,
  type StoreUnderTest,
  segmentOf,
  T,
} from './store-fixture.ts'

/** The manifest: it grows segment by segment, for one reader. */
export function manifestConformance(under: () => StoreUnderTest): void {
  let store: Store
  beforeEach(() => {
    store = under().store
  })
  const read = async (jobNo: number) => (await store.jobs.getByNo(jobNo))!
  it('grows segment by segment, with the position to go on from', async () => {
    const { job } = await store.jobs.create(newJob())
    const { jobNo } = job
    expect(await store.chunks.intakeProgress(jobNo)).toStrictEqual({
      segments: 0,
      rows: 0,
      unreadable: 0,
      position: null,
      done: false,
    })
    await store.chunks.appendSegment(segmentOf(jobNo, [3, 2], { position: '{"line":7}' }))
    const more = { segmentNo: 1, firstChunk: 2, firstRow: 5, position: '{"line":9}' }
    await store.chunks.appendSegment(segmentOf(jobNo, [4], more))
    const progress = { segments: 2, rows: 9, unreadable: 0, position: '{"line":9}', done: false }
    expect(await store.chunks.intakeProgress(jobNo)).toStrictEqual(progress)
    await closeManifest(store, jobNo)
    expect((await store.chunks.intakeProgress(jobNo)).done).toBe(true)
    const closed = await read(jobNo)
    expect(closed).toMatchObject({ rowsTotal: 9, chunksTotal: 3, openChunks: 3, inputHash: sha256('input') })
    expect(closed.input).toMatchObject({ format: 'csv', columns: ['a'] })
    expect(await store.chunks.get({ jobNo, chunkNo: 2 })).toStrictEqual({
      jobNo,
      chunkNo: 2,
      segmentKey: `jobs/${jobNo}/snapshot/1`,
      byteOffset: 0,
      byteLength: 1000,
      sha256: sha256('chunk 2'),
      firstRow: 5,
      rows: 4,
      state: 'ready',
      epoch: 0,
      owner: null,
      deaths: 0,
      round: 0,
      doneNo: null,
      counters: NO_COUNTS,
    })
    expect(await store.chunks.get({ jobNo, chunkNo: 3 })).toBeNull()
    expect((await store.chunks.list(jobNo, 1, 1)).map((chunk) => chunk.chunkNo)).toStrictEqual([1])
    const all = [0, 1, 2].map((chunkNo) => ({ jobNo, chunkNo }))
    expect(await store.chunks.open(jobNo)).toStrictEqual(all)
  })

  it('makes dead letters of unreadable lines, which count at once', async () => {
    const line = { index: 1, line: 4, file: 'a.csv', message: '3 fields, 2 expected', excerpt: 'x,y,z', chunkNo: 0 }
    const job = await queuedJob(store, [3, 2], {}, { unreadable: [line] })
    const { counters } = await store.jobs.progress(job.jobNo)
    expect(counters).toStrictEqual({ ...NO_COUNTS, failed: 1 })
    expect(await store.rows.get(job.jobNo, 1)).toMatchObject({
      rowId: 'line:4',
      chunkNo: 0,
      state: 'failed',
      cause: 'input_unreadable',
      message: 'a.csv:4: 3 fields, 2 expected',
      reply: 'x,y,z',
      attempts: 0,
      costNano: 0,
    })
    expect((await store.chunks.intakeProgress(job.jobNo)).unreadable).toBe(1)
    const held = await claim(store, job.jobNo, 0)
    expect(await completeChunk(store, held, [outcomeOf(0), outcomeOf(2)])).toBe('completed')
    expect((await read(job.jobNo)).counters).toMatchObject({ failed: 1, succeeded: 2 })
  })

  it('takes a segment once, from one reader, and none after the end', async () => {
    const { job } = await store.jobs.create(newJob())
    const another = await under().openAnother()
    await store.chunks.appendSegment(segmentOf(job.jobNo, [3]))
    const again = another.chunks.appendSegment(segmentOf(job.jobNo, [3, 3], { position: '{"other":1}' }))
    await expect(again).rejects.toMatchObject({ code: 'job_state' })
    expect(await store.chunks.intakeProgress(job.jobNo)).toMatchObject({ segments: 1, rows: 3, position: '{}' })
    await closeManifest(store, job.jobNo)
    const late = store.chunks.appendSegment(segmentOf(job.jobNo, [1], { segmentNo: 1, firstChunk: 1, firstRow: 3 }))
    await expect(late).rejects.toMatchObject({ code: 'job_state' })
    expect((await read(job.jobNo)).rowsTotal).toBe(3)
  })

  it('takes no segment for a job that was cancelled meanwhile', async () => {
    const { job } = await store.jobs.create(newJob())
    await store.write((tx) => store.jobs.change(tx, job.jobNo, ['created'], { to: 'cancelled', atMs: T }))
    await expect(store.chunks.appendSegment(segmentOf(job.jobNo, [3]))).rejects.toMatchObject({ code: 'job_state' })
  })

  it('carries a manifest of thousands of chunks', async () => {
    const job = await queuedJob(
      store,
      Array.from({ length: 4_000 }, () => 200),
    )
    expect(job).toMatchObject({ rowsTotal: 800_000, chunksTotal: 4_000, openChunks: 4_000 })
    expect(await store.chunks.open(job.jobNo)).toHaveLength(4_000)
  })
}
