import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { cancel, pause, resume } from '../../src/job/control.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** Rows of these numbers of equal texts: `same(2, 1)` is `text 0`, `text 0`, `text 1`. */
const same = (...counts: readonly number[]) => counts.flatMap((count, n) => Array(count).fill(`text ${n}`) as string[])
const sent = (text: string) => shop.lane.sent.filter((request) => request.text === text).length
const lanes = async (job: Job) =>
  (await shop.outcomes(job)).map(({ state, lane }) => (state === 'failed' ? state : lane))
const chunkStates = async (job: Job) => (await shop.store.chunks.list(job.jobNo, 0, 100)).map(({ state }) => state)

/** Answers only after `release`. */
function hold() {
  const held = Promise.withResolvers<void>()
  shop.lane.answers(async () => {
    await held.promise
    return topic()
  })
  return () => held.resolve()
}

/** A worker has sent the first of equal rows, and another has a chunk that waits for it. */
async function leaderAndFollower() {
  const release = hold()
  const job = await shop.job({ rows: same(10), chunkRows: 5 })
  const leader = shop.start(job, { chunks: 1 })
  await until('the first row is asked', () => shop.lane.open === 1)
  const follower = shop.start(job, { chunks: 1 })
  await until('the other chunk is parked', async () => (await chunkStates(job)).includes('parked'))
  return { release, job, leader, follower }
}

describe('rows with the same request', () => {
  it('are asked once, also while the first is in flight, over the chunks of a worker', async () => {
    const job = await shop.job({ rows: same(9, 1, 7, 3), chunkRows: 5 })
    await shop.work(job)
    expect([0, 1, 2, 3].map((n) => sent(`text ${n}`))).toEqual([1, 1, 1, 1])
    expect((await lanes(job)).filter((lane) => lane === 'cache')).toHaveLength(16)
    const { counters, state } = await shop.reread(job)
    expect(state).toBe('completed')
    expect(counters).toMatchObject({ succeeded: 20, cached: 16, cachedHere: 16, attempts: 4 })
    const outcomes = await shop.outcomes(job)
    const asked = outcomes.find(({ lane }) => lane === 'live')
    expect(counters.savedNano).toBe(16 * (asked?.costNano ?? 0))
    expect(counters.savedInputTokens + counters.savedOutputTokens).toBe(16 * 15)
    await shop.assertBalanced(job)
  })

  it('are each asked with `cache: off`', async () => {
    const job = await shop.job({ rows: same(6), execution: { cache: 'off' } })
    await shop.work(job)
    expect(sent('text 0')).toBe(6)
  })

  it('reuse what other specs of the tenant have paid for, where the scope is the tenant', async () => {
    const execution = { cache: 'tenant' } as const
    await shop.work(await shop.job({ rows: same(1), spec: { name: 'one' }, execution }))
    const other = await shop.job({ rows: same(1), spec: { name: 'two' }, execution })
    await shop.work(other)
    expect(sent('text 0')).toBe(1)
    expect((await shop.reread(other)).counters).toMatchObject({ cached: 1, cachedHere: 0 })
    await shop.work(await shop.job({ rows: same(1), spec: { name: 'two' } }))
    expect(sent('text 0')).toBe(2)
  })

  it('are asked one after the other where the first fails, until one succeeds', async () => {
    shop.lane.answers(({ time }) => (time === 1 ? fails('refused') : topic()))
    const job = await shop.job({ rows: same(12), chunkRows: 4 })
    await shop.work(job)
    const ended = await lanes(job)
    expect(ended.filter((lane) => lane === 'failed')).toHaveLength(1)
    expect(sent('text 0')).toBeLessThanOrEqual(3)
    expect(ended.filter((lane) => lane === 'cache').length).toBeGreaterThanOrEqual(9)
    await shop.assertBalanced(job)
    // Whoever comes later finds the answer of the row that succeeded.
    const before = sent('text 0')
    await shop.work(await shop.job({ rows: same(1) }))
    expect(sent('text 0')).toBe(before)
  })

  it('all get their own failure where all fail', async () => {
    shop.lane.answers(() => fails('refused'))
    const job = await shop.job({ rows: same(31), chunkRows: 4 })
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { failed: 31 } })
    expect(sent('text 0')).toBe(31)
    await shop.assertBalanced(job)
  })

  it('ask themselves where the answer of another will not do for them', async () => {
    shop.lane.answers(({ time }) => topic(time === 1 ? 'bug' : 'login'))
    const { prompt, output } = await shop.jobDeps.specOf(await shop.job({ rows: [] }))
    const checks = [{ that: 'output.topic == body', message: 'not the topic that it has' }]
    const spec = { prompt: { ...prompt, user: 'The same for all' }, output: { ...output, checks } }
    const job = await shop.job({ rows: ['bug', 'login', 'bug', 'login', 'login', 'login'], spec })
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 6 } })
    const topics = ['bug', 'login', 'bug', 'login', 'login', 'login'].map((name) => JSON.stringify({ topic: name }))
    expect((await shop.outcomes(job)).map(({ output: answer }) => answer)).toEqual(topics)
    expect(shop.lane.sent.length).toBeLessThanOrEqual(3)
    await shop.assertBalanced(job)
  })
})

describe('a row that another worker asks', () => {
  it('keeps no lease: its chunk is parked, its job is not over, and it takes the answer when it is there', async () => {
    const { release, job, leader, follower } = await leaderAndFollower()
    await until('its message waits', async () => {
      const { leased, ready, delayed } = await shop.queue.depth(job.jobNo)
      return leased === 1 && ready + delayed === 1
    })
    expect((await shop.reread(job)).state).toBe('running')
    release()
    await Promise.all([leader.done, follower.done])
    expect(sent('text 0')).toBe(1)
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, cached: 9 } })
    expect((await shop.store.chunks.list(job.jobNo, 0, 9)).map(({ deaths }) => deaths)).toEqual([0, 0])
    await shop.assertBalanced(job)
  })

  it('does not hold up the other rows of its chunk', async () => {
    const held = Promise.withResolvers<void>()
    shop.lane.answers(async ({ text }) => {
      if (text === 'slow') await held.promise
      return topic()
    })
    const job = await shop.job({ rows: ['slow', 'a', 'b', 'slow', 'c', 'd'], chunkRows: 3 })
    const workers = [shop.start(job, { chunks: 1 })]
    await until('the slow row is asked', () => sent('slow') === 1)
    workers.push(shop.start(job, { chunks: 1 }))
    await until('the others have ended', async () => (await shop.outcomes(job)).length === 4)
    await until('the second chunk waits', async () => (await chunkStates(job))[1] === 'parked')
    held.resolve()
    await Promise.all(workers.map((worker) => worker.done))
    expect(sent('slow')).toBe(1)
    await shop.assertBalanced(job)
  })

  it('is asked itself when that worker is killed, though nobody takes up its job', async () => {
    const release = hold()
    const first = await shop.job({ rows: same(1) })
    const killed = shop.start(first)
    await until('the row is asked', () => shop.lane.open === 1)
    const second = await shop.job({ rows: same(3) })
    const worker = shop.start(second)
    await until('its chunk is parked', async () => (await chunkStates(second))[0] === 'parked')
    killed.abandon()
    await killed.done
    await until('the row is asked again', () => sent('text 0') === 2)
    release()
    await worker.done
    expect(await shop.reread(second)).toMatchObject({ state: 'completed', counters: { succeeded: 3, cached: 2 } })
    await shop.assertBalanced(second)
    // And whoever resumes the first job pays nothing more.
    expect(await shop.work(first)).toMatchObject({ state: 'completed', counters: { succeeded: 1 } })
    expect(sent('text 0')).toBe(2)
    await shop.assertBalanced(first)
  })

  it('waits through the death of its own worker, and of whoever comes after', async () => {
    const { release, job, leader, follower } = await leaderAndFollower()
    follower.abandon()
    await follower.done
    const next = shop.start(job, { chunks: 1 })
    release()
    await Promise.all([leader.done, next.done])
    expect(sent('text 0')).toBe(1)
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, cached: 9 } })
    await shop.assertBalanced(job)
  })

  it('is found parked by pause, resume and cancel like any other', async () => {
    const { release, job, leader, follower } = await leaderAndFollower()
    await pause(shop.jobDeps, job)
    release()
    await Promise.all([leader.done, follower.done])
    expect((await shop.reread(job)).state).toBe('paused')
    await resume(shop.jobDeps, await shop.reread(job))
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, cached: 9 } })
    expect(sent('text 0')).toBe(1)
    await shop.assertBalanced(job)
  })

  it('is cancelled with its job', async () => {
    const { release, job, leader, follower } = await leaderAndFollower()
    await cancel(shop.jobDeps, job)
    release()
    await Promise.all([leader.done, follower.done])
    expect((await shop.reread(job)).state).toBe('cancelled')
    expect((await shop.outcomes(job)).length).toBe(10)
    expect(await chunkStates(job)).toEqual(['done', 'done'])
    await shop.assertBalanced(job)
  })

  it('is asked itself when the job that asks it is paused', async () => {
    shop.rowsAtOnce = 1
    const release = hold()
    const first = await shop.job({ rows: ['other', ...same(1)] })
    const paused = shop.start(first)
    await until('its first row is asked', () => shop.lane.open === 1)
    const second = await shop.job({ rows: same(2) })
    const worker = shop.start(second)
    await until('the second job waits', async () => (await chunkStates(second))[0] === 'parked')
    await pause(shop.jobDeps, first)
    await until('it has heard', () => paused.view.stopping)
    release()
    await Promise.all([paused.done, worker.done])
    expect((await shop.reread(first)).state).toBe('paused')
    expect(await shop.reread(second)).toMatchObject({ state: 'completed', counters: { succeeded: 2, cached: 1 } })
    expect(sent('text 0')).toBe(1)
  })

  it('is told in memory when it is asked for another job by the same worker, paused or not', async () => {
    const release = hold()
    shop.rowsAtOnce = 1
    const first = await shop.job({ rows: ['other', ...same(1)] })
    const worker = shop.start(null, { untilIdle: true })
    await until('the first row is asked', () => shop.lane.open === 1)
    const second = await shop.job({ rows: same(2) })
    await until('both jobs are held', () => shop.heard('chunk.claimed').length === 2)
    await pause(shop.jobDeps, first)
    await until('it has heard', () => worker.view.stopping)
    release()
    await worker.done
    expect((await shop.reread(first)).state).toBe('paused')
    expect(await shop.reread(second)).toMatchObject({ state: 'completed', counters: { succeeded: 2, cached: 1 } })
    expect(sent('text 0')).toBe(1)
  })
})
