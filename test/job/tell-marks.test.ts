import { afterEach, beforeEach, expect, it } from 'vitest'
import { ALERTS_BY_DEFAULT } from '../../src/domain/alert.ts'
import type { Job } from '../../src/domain/job.ts'
import type { NotifyEvent } from '../../src/domain/notice.ts'
import type { Spec } from '../../src/domain/spec.ts'
import { cancel, pause, resume } from '../../src/job/control.ts'
import { retry } from '../../src/job/retry.ts'
import { marksOf, tellMarks } from '../../src/job/tell-marks.ts'
import { fails, topic } from '../worker/scripted-lane.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const notifying = (...when: NotifyEvent[]): Pick<Spec, 'notify' | 'alerts'> => ({
  notify: [{ kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: null, when }],
  ...(when.includes('alert') && { alerts: ALERTS_BY_DEFAULT }),
})
const budget = (tokens: number, onExceed: 'pause' | 'stop' = 'pause'): Pick<Spec, 'budget'> => ({
  budget: { usdNano: null, tokens, rowTokens: null, onExceed },
})
const told = async () =>
  (await shop.store.outbox.list({ tenantNo: 1, limit: 100 })).toReversed().map(({ type, body }) => {
    const { data } = JSON.parse(body)
    return [type, data.budget?.mark ?? data.alert?.rule ?? data.reason]
  })
const tokensOf = async (job: Job) => {
  const { counters } = await shop.store.jobs.progress(job.jobNo)
  return counters.inputTokens + counters.outputTokens
}
/** What one look of a watcher comes to. */
async function look(job: Job, spec: Pick<Spec, 'notify' | 'alerts' | 'budget'>, deps = shop.jobDeps) {
  const { job: known, counters } = await shop.store.jobs.progress(job.jobNo)
  const whole = { ...(await deps.specOf(known)), ...spec }
  const standing = { job: known, counters, state: known.state, reason: null, atMs: shop.runtime.now() }
  const marks = await marksOf(deps, whole, standing)
  return shop.store.write((tx) => tellMarks(deps, tx, standing, whole, marks))
}

it('a mark is told once, whoever looks how often; a raised budget begins anew', async () => {
  const job = await shop.job({ rows: rows(10) })
  await shop.work(job)
  const used = await tokensOf(job)
  const spec = { ...notifying('budget'), ...budget(Math.ceil(used / 0.6)) }
  const looks = await Promise.all([look(job, spec), look(job, spec), look(job, spec)])
  expect(looks.toSorted()).toEqual([0, 0, 1])
  await shop.store.jobs.set(job.jobNo, { budgetTokens: used }, shop.runtime.now())
  expect(await look(job, spec)).toBe(1)
  await shop.store.jobs.set(job.jobNo, { budgetTokens: used * 3 }, shop.runtime.now())
  expect(await look(job, spec)).toBe(0)
  await shop.store.jobs.set(job.jobNo, { budgetTokens: Math.ceil(used * 1.2) }, shop.runtime.now())
  expect(await look(job, spec)).toBe(1)
  expect(await look(job, spec)).toBe(0)
  expect(await told()).toEqual([
    ['job.budget', 50],
    ['job.budget', 100],
    ['job.budget', 80],
  ])
})

it('a job that was never looked at tells of its budget when it stands still', async () => {
  const probe = await shop.job({ rows: rows(120), chunkRows: 40 })
  await shop.work(probe)
  const tokens = await tokensOf(probe)
  // Of other words, so that no answer is reused.
  const others = (word: string) => Array.from({ length: 120 }, (_, n) => `${word} ${n}`)
  const spec = (share: number) => ({
    ...notifying('budget', 'completed', 'failed'),
    // No projection stops it before.
    ...budget(Math.ceil(tokens / share), 'stop'),
  })
  const done = await shop.work(await shop.job({ rows: others('red'), chunkRows: 40, spec: spec(0.6) }))
  const halted = await shop.work(await shop.job({ rows: others('blue'), chunkRows: 40, spec: spec(1.2) }))
  expect([done.state, halted.state, halted.reason]).toEqual(['completed', 'failed', 'budget'])
  expect(await told()).toEqual([
    ['job.completed', null],
    ['job.budget', 50],
    ['job.failed', 'budget'],
    ['job.budget', 100],
  ])
})

it('a job that goes wrong says so once in each round, with its end at the latest', async () => {
  shop.lane.answers(({ text }) => (Number(text.split(' ')[1]) % 10 === 0 ? fails('refused') : topic()))
  const spec = notifying('alert', 'completed')
  const job = await shop.job({ rows: rows(120), chunkRows: 40, spec })
  await shop.work(job)
  const ended = await shop.reread(job)
  expect(await look(ended, { ...spec, ...budget(1) })).toBe(0)
  await retry(shop.jobDeps, ended, {}, ended.specHash)
  await shop.work(job)
  expect(await told()).toEqual([
    ['job.completed_with_failures', null],
    ['job.alert', 'failed_over'],
    ['job.completed_with_failures', null],
    ['job.alert', 'failed_over'],
  ])
})

it('a job is measured by the plan by which it was run', async () => {
  const job = await shop.job({ rows: rows(10) })
  await shop.work(job)
  const spec = { ...notifying('alert'), ...budget(1_000_000) }
  const { costNano } = (await shop.store.jobs.progress(job.jobNo)).counters
  expect(await look(job, spec)).toBe(0)
  expect(await look(job, spec, { ...shop.jobDeps, plannedNano: async () => costNano })).toBe(0)
  const cheap = { ...shop.jobDeps, plannedNano: async () => Math.floor(costNano / 1.3) }
  expect(await look(job, spec, cheap)).toBe(1)
  expect(await told()).toEqual([['job.alert', 'cost_over_plan']])
})

it('a job tells that it is late, also while it stands still, and nothing once it is cancelled', async () => {
  const late = { execution: { deadlineMs: 1 } }
  const job = await shop.job({ rows: rows(5), spec: notifying('alert'), ...late })
  const other = await shop.job({ rows: rows(5), spec: notifying('alert'), ...late })
  await shop.runtime.sleep(5)
  await pause(shop.jobDeps, job)
  await cancel(shop.jobDeps, other)
  await resume(shop.jobDeps, await shop.reread(job))
  await pause(shop.jobDeps, await shop.reread(job))
  expect(await told()).toEqual([['job.alert', 'running_over']])
})
