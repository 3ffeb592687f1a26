import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import type { BatchSpec } from '../../src/domain/spec.ts'
import { retry } from '../../src/job/retry.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const BATCH: BatchSpec = { retry: 'batch', requests: null, queueTokens: null, pollMs: 1_000 }
const execution = { cache: 'off', lane: 'batch', batch: BATCH } as const

async function keys(prefix: string): Promise<readonly string[]> {
  const found: string[] = []
  for await (const key of shop.blob.list(prefix)) found.push(key)
  return found
}

const requestsOf = ({ id }: Job) => keys(`jobs/${id}/batch/`)
const results = () => keys('batches/')
const figures = ({ jobNo }: Job) => shop.store.batches.outstanding(jobNo)

/** A job of which everything is packed. */
async function packed(count: number): Promise<Job> {
  const job = await shop.job({ rows: rows(count), execution })
  const worker = shop.start(job)
  await until('it is packed', async () => (await figures(job)).packed === count)
  worker.abandon()
  await worker.done
  return job
}

/** A job whose answers are all there, and not booked. */
async function answered(count: number): Promise<Job> {
  const job = await packed(count)
  const stop = shop.startBatcher()
  await until('it has come back', async () => (await figures(job)).answered === count)
  await stop()
  return job
}

/** Works on the job until something of it is to be removed below `prefix`: whoever is to do so is killed. */
async function killedAt(job: Job, prefix: string): Promise<void> {
  const { blob } = shop.jobDeps
  const killed = new Error('killed')
  const removeAll = async (below: string) => {
    if (below.startsWith(prefix)) throw killed
    await blob.removeAll(below)
  }
  Object.assign(shop.jobDeps, { blob: { removeAll } })
  await expect(shop.work(job)).rejects.toBe(killed)
  Object.assign(shop.jobDeps, { blob })
}

it('what a job has sent and got by batch is there until it is completed, and then gone', async () => {
  const job = await answered(20)
  expect(await requestsOf(job)).toHaveLength(4)
  expect(await results()).toHaveLength(1)
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20 } })
  expect([...(await requestsOf(job)), ...(await results())]).toEqual([])
})

it('it stays where a row failed, until a retry has mended that', async () => {
  shop.startBatcher()
  shop.lane.answers(({ text }) => (text === 'row 3' ? fails('refused') : topic()))
  const job = await shop.work(await shop.job({ rows: rows(8), execution }))
  expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 7, failed: 1 } })
  const kept = { requests: await requestsOf(job), results: await results() }
  expect(kept.requests).toHaveLength(2)
  expect(kept.results.length).toBeGreaterThan(0)
  shop.lane.answers(() => topic())
  await retry(shop.jobDeps, job, {}, job.specHash)
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 8, failed: 0 } })
  expect([...(await requestsOf(job)), ...(await results())]).toEqual([])
})

it('the results of a batch stay until all jobs are completed that had rows in it', async () => {
  const jobs = [await packed(5), await packed(10)] as const
  const stop = shop.startBatcher()
  await until('they have come back', async () => (await figures(jobs[1])).answered === 10)
  await stop()
  expect(shop.batches.made.map(({ requests }) => requests.length)).toEqual([15])
  expect((await shop.work(jobs[0])).state).toBe('completed')
  expect(await requestsOf(jobs[0])).toEqual([])
  expect(await requestsOf(jobs[1])).toHaveLength(2)
  expect(await results()).toHaveLength(1)
  expect(await shop.work(jobs[1])).toMatchObject({ state: 'completed', counters: { succeeded: 10 } })
  expect(await results()).toEqual([])
})

it('a job is not completed before its requests are gone: whoever takes its end up removes them', async () => {
  const job = await answered(5)
  await killedAt(job, `jobs/${job.id}/batch/`)
  expect((await shop.reread(job)).state).toBe('finalizing')
  expect(await requestsOf(job)).toHaveLength(1)
  expect((await shop.work(job)).state).toBe('completed')
  expect([...(await requestsOf(job)), ...(await results())]).toEqual([])
})

it('results that are left by a crash are removed by the next batcher, and no others', async () => {
  const [job, other] = [await answered(5), await answered(5)]
  await killedAt(job, 'batches/')
  expect((await shop.reread(job)).state).toBe('completed')
  await shop.blob.put('batches/somebody-elses/0.results', Buffer.from('x'))
  expect(await results()).toHaveLength(3)
  shop.startBatcher()
  await until('they are gone', async () => (await results()).length < 3)
  const [part] = await shop.store.batches.ofChunk({ jobNo: other.jobNo, chunkNo: 0 })
  expect(await results()).toEqual([part?.results?.key, 'batches/somebody-elses/0.results'].toSorted())
})

it('rows whose results are gone too early are asked again', async () => {
  const job = await answered(10)
  await shop.blob.removeAll('batches/')
  shop.startBatcher()
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, failed: 0 } })
  expect(shop.lane.sent).toHaveLength(20)
  await shop.assertBalanced(await shop.reread(job))
})
