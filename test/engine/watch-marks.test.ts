import { afterEach, beforeEach, expect, it } from 'vitest'
import { ALERTS_BY_DEFAULT } from '../../src/domain/alert.ts'
import type { Job } from '../../src/domain/job.ts'
import type { NotifyEvent } from '../../src/domain/notice.ts'
import type { NotifySpec } from '../../src/domain/spec.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import type { WorkDeps } from '../../src/engine/enter-fleet.ts'
import { watchDuty } from '../../src/engine/watch-marks.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const target = (...when: NotifyEvent[]): readonly NotifySpec[] => [
  { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: null, when },
]
const lateJob = (when: NotifyEvent = 'alert') =>
  shop.job({
    rows: rows(5),
    spec: { notify: target(when), alerts: ALERTS_BY_DEFAULT },
    execution: { deadlineMs: 1 },
  })
const watcher = (more: Partial<JobDeps> = {}) =>
  watchDuty({ deps: shop, jobDeps: { ...shop.jobDeps, ...more } } as unknown as WorkDeps)
const told = async (...jobs: readonly Job[]) => {
  const notices = await shop.store.outbox.list({ tenantNo: 1, limit: 100 })
  return jobs.map((job) => notices.filter(({ jobNo }) => jobNo === job.jobNo).map(({ type }) => type))
}

it('each job at work is looked at, and each mark told once, by however many and however often', async () => {
  const [one, two, deaf] = [await lateJob(), await lateJob(), await lateJob('completed')]
  await shop.runtime.sleep(5)
  const watchers = [watcher(), watcher(), watcher()]
  await Promise.all(watchers.map(({ work }) => work(() => true)))
  for (const { work } of watchers) await work(() => true)
  expect(await told(one, two, deaf)).toEqual([['job.alert'], ['job.alert'], []])
  expect(watchers[0]).toMatchObject({ role: 'watcher' })
})

it('what is known of a job is forgotten when it is over, and looked at anew in another round', async () => {
  const job = await lateJob()
  await shop.runtime.sleep(5)
  let asked = 0
  const { work } = watcher({
    async specOf(of) {
      asked += 1
      return await shop.jobDeps.specOf(of)
    },
  })
  await work(() => true)
  await work(() => true)
  expect(asked).toBe(1)
  await shop.work(job)
  const ended = await shop.reread(job)
  await work(() => true)
  await shop.store.write((tx) =>
    shop.store.jobs.openRound(tx, job.jobNo, { round: 1, specHash: ended.specHash, selection: '{}', atMs: 1 }),
  )
  await work(() => true)
  expect(asked).toBe(2)
  expect(await told(job)).toEqual([['job.alert', 'job.alert']])
})

it('what goes wrong with one job is said, and keeps no other from being looked at', async () => {
  const [broken, well] = [await lateJob(), await lateJob('alert')]
  const failures: unknown[] = []
  shop.events.on('duty.failed', (failed) => failures.push(failed))
  await shop.runtime.sleep(5)
  const { work } = watcher({
    async specOf(job) {
      if (job.jobNo === broken.jobNo) throw new Error('a spec of tomorrow')
      return await shop.jobDeps.specOf(job)
    },
  })
  await work(() => true)
  expect(await told(broken, well)).toEqual([[], ['job.alert']])
  expect(failures).toEqual([{ role: 'watcher', jobNo: broken.jobNo, message: 'a spec of tomorrow' }])
})

it('stops when it is no longer its turn, and when the store is away', async () => {
  const job = await lateJob()
  await shop.runtime.sleep(5)
  await watcher().work(() => false)
  expect(await told(job)).toEqual([[]])
  const specOf = async () => {
    throw new StorageFailure('closed', 'the database is away')
  }
  await expect(watcher({ specOf }).work(() => true)).rejects.toThrow(StorageFailure)
})
