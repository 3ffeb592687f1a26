import { afterEach, beforeEach, expect, it } from 'vitest'
import { finalize } from '../../src/job/finalize.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { reconcile } from '../../src/job/reconcile.ts'
import type { Task } from '../../src/queue/queue.ts'
import { newJob } from '../conformance/store-fixture.ts'
import { until } from '../worker/until.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const turn = (deps: JobDeps = shop.jobDeps, more: Partial<Parameters<typeof reconcile>[1]> = {}) =>
  reconcile(deps, {
    afterJobNo: 0,
    holds: () => true,
    onTrouble: (_jobNo, error) => {
      throw error
    },
    ...more,
  })

/** The same, with messages that nobody survived. */
const withDead = (...dead: readonly Task[]): JobDeps => ({
  ...shop.jobDeps,
  queue: { ...shop.queue, takeDead: async () => dead },
})

it.each([
  ['pause', 'paused'],
  ['cancel', 'cancelled'],
] as const)('a wish to %s is fulfilled whose workers have all died', async (wish, state) => {
  shop.lane.answers(() => Promise.withResolvers<never>().promise)
  const job = await shop.job({ rows: rows(20) })
  const worker = shop.start(null)
  await until('rows are in flight', () => shop.lane.open > 0)
  worker.abandon()
  await worker.done
  await shop.store.jobs.want(job.jobNo, wish, wish === 'pause' ? 'user' : null)
  await turn()
  expect(await shop.reread(job)).toMatchObject({ state, wanted: null })
  await shop.assertBalanced(job)
})

it('a job whose messages were lost gets them again, page by page', async () => {
  const jobs = [await shop.job({ rows: rows(5) }), await shop.job({ rows: rows(5) })]
  for (const { jobNo } of jobs) await shop.store.write((tx) => shop.queue.purge(tx, jobNo))
  expect(await turn()).toBe(0)
  for (const { jobNo } of jobs) expect(await shop.queue.depth(jobNo)).toMatchObject({ ready: 1 })
})

it('what goes wrong with one job holds up no other', async () => {
  const [broken, sound] = [await shop.job({ rows: rows(5) }), await shop.job({ rows: rows(5) })]
  for (const { jobNo } of [broken, sound]) await shop.store.write((tx) => shop.queue.purge(tx, jobNo))
  const deps: JobDeps = {
    ...shop.jobDeps,
    specOf: async (job) => {
      if (job.jobNo === broken.jobNo) throw new TypeError('a defect')
      return shop.jobDeps.specOf(job)
    },
  }
  const trouble: [number, unknown][] = []
  await turn(deps, { onTrouble: (jobNo, error) => void trouble.push([jobNo, error]) })
  expect(trouble).toEqual([[broken.jobNo, new TypeError('a defect')]])
  expect(await shop.queue.depth(sound.jobNo)).toMatchObject({ ready: 1 })
})

it('stops where the role has gone to somebody else', async () => {
  const job = await shop.job({ rows: rows(5) })
  await shop.store.write((tx) => shop.queue.purge(tx, job.jobNo))
  expect(await turn(shop.jobDeps, { afterJobNo: 0, holds: () => false })).toBe(0)
  expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 0 })
})

it('a chunk whose workers die before they can claim it becomes dead letters, and the job goes on', async () => {
  const job = await shop.job({ rows: rows(10), chunkRows: 5 })
  await shop.store.write((tx) => shop.queue.purge(tx, job.jobNo))
  const failed: unknown[] = []
  const deps = withDead({ kind: 'chunk', jobNo: job.jobNo, chunkNo: 0 })
  await turn({ ...deps, events: { emit: (name, event) => void failed.push([name, event]) } })
  const { jobNo, id: jobId } = job
  expect(failed).toEqual([['chunk.failed', { jobNo, jobId, tenantNo: 1, chunkNo: 0, rows: 5 }]])
  expect(await shop.store.chunks.get({ jobNo: job.jobNo, chunkNo: 0 })).toMatchObject({ state: 'failed' })
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 5, failed: 5 } })
  const causes = await shop.store.rows.causes(job.jobNo)
  expect(causes.map(({ cause, rows: failed }) => [cause, failed])).toEqual([['chunk_failed', 5]])
  await shop.assertBalanced(job)
})

it('a job whose input kills whoever reads it fails, and this process hears of its end once', async () => {
  const { job } = await shop.store.jobs.create(newJob())
  const ends: unknown[] = []
  const emit = (name: string, event: unknown) => void ends.push([name, event])
  const deps = { ...withDead({ kind: 'intake', jobNo: job.jobNo }), events: { emit } }
  await turn(deps)
  await turn(deps)
  expect(await shop.reread(job)).toMatchObject({
    state: 'failed',
    reason: 'intake',
    detail: expect.stringMatching(/died/),
  })
  expect(ends).toMatchObject([['job.ended', { jobId: job.id, state: 'failed', round: 0, cancelled: 0 }]])
})

it('the last chunk that is given up ends the round', async () => {
  const job = await shop.job({ rows: rows(5) })
  await shop.store.write((tx) => shop.queue.purge(tx, job.jobNo))
  await turn(withDead({ kind: 'chunk', jobNo: job.jobNo, chunkNo: 0 }))
  expect(await shop.reread(job)).toMatchObject({ state: 'finalizing' })
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { failed: 5 } })
})

it('a round whose end kills its workers fails, with its rows kept', async () => {
  shop.writeResults = async () => {
    throw new TypeError('a defect')
  }
  const job = await shop.job({ rows: rows(5), spec: { write: { path: 'out.csv', includeInput: true } } })
  await expect(shop.start(job).done).rejects.toThrow('a defect')
  const task: Task = { kind: 'finalize', jobNo: job.jobNo, round: 0 }
  await turn(withDead({ ...task, round: 1 }))
  expect(await shop.reread(job)).toMatchObject({ state: 'finalizing' })
  await turn(withDead(task))
  expect(await shop.reread(job)).toMatchObject({ state: 'failed', reason: 'error', counters: { succeeded: 5 } })
  // Its old message, should it come after all, changes nothing.
  await finalize(shop.jobDeps, job.jobNo, 0, new AbortController().signal)
  expect((await shop.reread(job)).state).toBe('failed')
})
