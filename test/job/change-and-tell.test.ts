import { afterEach, beforeEach, expect, it } from 'vitest'
import type { NotifySpec } from '../../src/domain/spec.ts'
import { SluiceError } from '../../src/errors.ts'
import { cancel, pause, resume } from '../../src/job/control.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { reconcile } from '../../src/job/reconcile.ts'
import { retry } from '../../src/job/retry.ts'
import { fails, topic } from '../worker/scripted-lane.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const notify: readonly NotifySpec[] = [
  {
    kind: 'webhook',
    address: { env: 'HOOK_URL' },
    secretEnv: null,
    when: ['cancelled', 'completed', 'failed', 'paused'],
  },
]
const told = async () =>
  (await shop.store.outbox.list({ tenantNo: 1, limit: 100 })).toReversed().map(({ type, body }) => {
    const { rows: totals, reason, round } = JSON.parse(body).data
    return [type, reason, round, totals.succeeded, totals.failed, totals.cancelled]
  })

it('a job tells of each pause, of its end, and of the end of each round, with its totals', async () => {
  shop.lane.answers(({ text }) => (text === 'row 3' ? fails('refused') : topic()))
  const job = await shop.job({ rows: rows(12), spec: { notify } })
  await pause(shop.jobDeps, job)
  await resume(shop.jobDeps, await shop.reread(job))
  await pause(shop.jobDeps, await shop.reread(job))
  await pause(shop.jobDeps, await shop.reread(job))
  await resume(shop.jobDeps, await shop.reread(job))
  await shop.work(job)
  shop.lane.answers(() => topic())
  const ended = await shop.reread(job)
  await retry(shop.jobDeps, ended, {}, ended.specHash)
  await shop.work(job)
  expect(await told()).toEqual([
    ['job.paused', 'user', 0, 0, 0, 0],
    ['job.paused', 'user', 0, 0, 0, 0],
    ['job.completed_with_failures', null, 0, 11, 1, 0],
    ['job.completed', null, 1, 12, 0, 0],
  ])
})

it('a job tells that it was cancelled, after the last of its rows', async () => {
  const job = await shop.job({ rows: rows(12), spec: { notify } })
  await cancel(shop.jobDeps, job)
  await cancel(shop.jobDeps, await shop.reread(job))
  expect(await told()).toEqual([['job.cancelled', null, 0, 0, 0, 12]])
})

it('this process hears of an end of a job once, with the rows that this end has cancelled', async () => {
  const ends: unknown[] = []
  const emit = (name: string, event: unknown) => void ends.push([name, event])
  const deps: JobDeps = { ...shop.jobDeps, events: { emit } }
  const job = await shop.job({ rows: rows(12) })
  await cancel(deps, job)
  await cancel(deps, await shop.reread(job))
  const cancelled = await shop.reread(job)
  await retry(deps, cancelled, { rowIds: ['0', '1', '2'] }, cancelled.specHash)
  await cancel(deps, await shop.reread(job))
  expect(ends).toMatchObject([
    ['job.ended', { round: 0, state: 'cancelled', cancelled: 12 }],
    ['job.ended', { round: 1, state: 'cancelled', cancelled: 3, counters: { cancelled: 12 } }],
  ])
})

it('a job tells that it failed: by a gate, or because its end killed every worker', async () => {
  shop.lane.answers(() => fails('refused'))
  const gates = { minSuccess: 0.9, maxCostPerRowNano: null }
  const gated = await shop.job({ rows: rows(5), spec: { notify, gates } })
  await shop.work(gated)
  const deadly = await shop.job({ rows: rows(5), spec: { notify } })
  for (const to of ['running', 'finalizing'] as const) {
    await shop.store.write((tx) =>
      shop.store.jobs.change(tx, deadly.jobNo, ['queued', 'running'], { to, atMs: shop.runtime.now() }),
    )
  }
  const dead = [{ kind: 'finalize', jobNo: deadly.jobNo, round: 0 }] as const
  const deps: JobDeps = { ...shop.jobDeps, queue: { ...shop.queue, takeDead: async () => dead } }
  await reconcile(deps, { afterJobNo: 0, holds: () => true, onTrouble: () => undefined })
  expect((await told()).map((one) => one.slice(0, 2))).toEqual([
    ['job.failed', 'gate'],
    ['job.failed', 'error'],
  ])
})

it('a job that nobody wants to hear of tells nothing', async () => {
  const job = await shop.job({ rows: rows(5) })
  await shop.work(job)
  expect(await told()).toEqual([])
})

it('a job whose spec cannot be read any more can be cancelled all the same', async () => {
  const job = await shop.job({ rows: rows(5), spec: { notify } })
  const specOf = async () => {
    throw new SluiceError('store_version', 'a stored spec was written by a newer sluice')
  }
  await cancel({ ...shop.jobDeps, specOf }, job)
  expect(await shop.reread(job)).toMatchObject({ state: 'cancelled' })
  expect(await told()).toEqual([])
})

it('a change and its notice stand together: where the outbox fails, the job is where it was', async () => {
  const job = await shop.job({ rows: rows(5), spec: { notify } })
  const put = async () => {
    throw new Error('killed here')
  }
  const store = { ...shop.store, outbox: { ...shop.store.outbox, put } }
  await expect(pause({ ...shop.jobDeps, store }, job)).rejects.toThrow('killed here')
  expect(await shop.reread(job)).toMatchObject({ state: 'queued', wanted: 'pause' })
  await pause(shop.jobDeps, await shop.reread(job))
  expect(await told()).toHaveLength(1)
})
