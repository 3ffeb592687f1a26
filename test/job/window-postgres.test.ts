import { describe, expect, it } from 'vitest'
import { resume } from '../../src/job/control.ts'
import { enqueueWork } from '../../src/job/enqueue.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { rebuildQueue } from '../../src/job/rebuild.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'
import { enqueueNext, type JobRun } from '../../src/worker/job-run.ts'
import { answerRows, outcomeOf, queuedJob, T } from '../conformance/store-fixture.ts'
import { ask, freshDatabase, noPostgres } from '../postgres/database.ts'
import { type BackEnd, openBackEnd } from '../queue/back-end.ts'
import { spec } from '../row/fixture.ts'

const WINDOW = 6
const RAN = spec({ schema: { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] } })

describe.skipIf(noPostgres !== null)(`a window on PostgreSQL (${noPostgres ?? 'is there'})`, () => {
  it('serves every chunk once to processes that complete at the same time, while others resume the job and rebuild its queue', async () => {
    const { url, drop } = await freshDatabase()
    const sides = [await openBackEnd(url, 0), await openBackEnd(url, 0), await openBackEnd(url, 0)]
    const [one, two] = sides as [BackEnd, BackEnd, BackEnd]
    const job = await queuedJob(
      one.store,
      Array.from({ length: 60 }, () => 1),
    )
    await one.store.write((tx) => enqueueWork(depsOf(one), tx, job))
    expect(await two.queue.depth(job.jobNo)).toMatchObject({ ready: WINDOW })
    const done: number[] = []
    await Promise.all([
      ...sides.flatMap((side, n) => [work(side, `a${n}`, job.jobNo, done), work(side, `b${n}`, job.jobNo, done)]),
      disturb(depsOf(two), job.jobNo),
    ])
    expect(done.toSorted((a, b) => a - b)).toStrictEqual(Array.from({ length: 60 }, (_, n) => n))
    const after = await one.store.jobs.getByNo(job.jobNo)
    expect(after).toMatchObject({ state: 'finalizing', openChunks: 0, counters: { succeeded: 60 } })
    for (const { store } of sides) await store.close()
    await drop()
  }, 60_000)

  it('makes a queue again that was lost altogether', async () => {
    const { url, drop } = await freshDatabase()
    const before = await openBackEnd(url, 0)
    const job = await queuedJob(before.store, [1, 1, 1])
    await before.store.write((tx) => enqueueWork(depsOf(before), tx, job))
    await before.queue.fetch('one', 1)
    await before.store.chunks.claim({ jobNo: job.jobNo, chunkNo: 0 }, 'one', false, T)
    await before.store.close()
    await ask(url, 'drop schema sluice_queue cascade')
    const after = await openBackEnd(url, 0)
    expect(await rebuildQueue(depsOf(after), DEFAULT_TENANT)).toBe(1)
    expect(await after.queue.depth(job.jobNo)).toMatchObject({ ready: 3 })
    const done: number[] = []
    await work(after, 'two', job.jobNo, done)
    expect(done).toStrictEqual([0, 1, 2])
    await after.store.close()
    await drop()
  })
})

function depsOf({ store, queue }: BackEnd): JobDeps {
  return {
    store,
    queue,
    runtime: systemRuntime(),
    window: WINDOW,
    isGone: async () => false,
    specOf: async () => RAN,
    readRows: async () => [],
    writeResults: async () => undefined,
    keepReport: async () => undefined,
    blob: { removeAll: async () => undefined },
    settleChunk: async () => undefined,
  }
}

/** Works on the job as a worker does, until none of its chunks is open. A chunk that was taken from it meanwhile it leaves to the other. */
async function work({ store, queue }: BackEnd, worker: string, jobNo: number, done: number[]): Promise<void> {
  const job = (await store.jobs.getByNo(jobNo))!
  const run = { job, spec: RAN } as JobRun
  while (((await store.jobs.getByNo(jobNo))?.openChunks ?? 0) > 0) {
    for (const delivery of await queue.fetch(worker, 2, { jobNo })) {
      const { task } = delivery
      if (task.kind !== 'chunk') continue
      const claimed = await store.chunks.claim(task, worker, delivery.deliveries > 1, T)
      if (claimed === null) {
        await store.write((tx) => queue.complete(tx, delivery))
        continue
      }
      const { chunk } = claimed
      const claim = { jobNo, chunkNo: chunk.chunkNo, epoch: chunk.epoch }
      const ended = await store.rows.ended(jobNo, chunk.firstRow, chunk.rows)
      if (ended.size === 0) await answerRows(store, claim, [outcomeOf(chunk.firstRow)])
      const result = await store.write(async (tx) => {
        const end = await store.chunks.complete(tx, claim, T)
        if (end === 'stale') return end
        await queue.complete(tx, delivery)
        if (end !== 'last') await enqueueNext({ store, queue }, tx, run)
        return end
      })
      if (result !== 'stale') done.push(claim.chunkNo)
    }
  }
}

async function disturb(deps: JobDeps, jobNo: number): Promise<void> {
  for (let n = 0; ; n += 1) {
    const job = await deps.store.jobs.getByNo(jobNo)
    if (job === null || job.openChunks === 0 || job.state === 'finalizing') return
    if (n % 2 === 0) await resume(deps, job).catch(unlessOver)
    else await rebuildQueue(deps, DEFAULT_TENANT)
  }
}

function unlessOver(error: unknown): void {
  if (!(error instanceof Error) || !error.message.includes('cannot be resumed')) throw error
}
