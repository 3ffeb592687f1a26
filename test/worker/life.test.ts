import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { pause, resume } from '../../src/job/control.ts'
import { fails, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

it('what ends in one turn of the event loop shares a commit', async () => {
  // Each answer comes in a callback of its own, as from a socket.
  shop.lane.answers(async () => {
    await delay(2)
    return topic()
  })
  const job = await shop.job({ rows: rows(600), chunkRows: 200 })
  const before = shop.writes
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 600 } })
  // One for each intent and one for each answer would be 1,200.
  expect(shop.writes - before).toBeLessThan(400)
  await shop.assertBalanced(job)
})

it('a worker for any job serves them all, until it is told to leave', async () => {
  const [first, second] = [
    await shop.job({ rows: rows(20) }),
    await shop.job({ rows: rows(20), execution: { cache: 'off' } }),
  ]
  const worker = shop.start(null)
  const ended = async () =>
    (await Promise.all([first, second].map(shop.reread))).every(({ state }) => state === 'completed')
  await until('both jobs have ended', ended)
  const third = await shop.job({ rows: rows(3), execution: { cache: 'off' } })
  await until('the third has ended', async () => (await shop.reread(third)).state === 'completed')
  worker.stop()
  expect(await worker.done).toBe('left')
  for (const job of [first, second, third]) await shop.assertBalanced(job)
})

it('one job that is stopped does not stop another that the worker holds', async () => {
  const held = Promise.withResolvers<void>()
  shop.lane.answers(async ({ text }) => {
    if (text.startsWith('other')) return topic()
    await held.promise
    return fails('credentials')
  })
  const wrong = await shop.job({ rows: rows(3) })
  const right = await shop.job({ rows: Array.from({ length: 30 }, (_, n) => `other ${n}`) })
  const worker = shop.start(null)
  await until('the first job is in flight', () => shop.lane.open === 3)
  await pause(shop.jobDeps, await shop.reread(wrong))
  await until('the second has ended', async () => (await shop.reread(right)).state === 'completed')
  held.resolve()
  await until('the first is paused', async () => (await shop.reread(wrong)).state === 'paused')
  worker.stop()
  await worker.done
  for (const job of [wrong, right]) await shop.assertBalanced(job)
})

it('a job all of whose answers are known ends without a request', async () => {
  await shop.work(await shop.job({ rows: rows(12) }))
  const job = await shop.job({ rows: rows(12), chunkRows: 4 })
  expect(await shop.work(job)).toMatchObject({
    state: 'completed',
    counters: { succeeded: 12, cached: 12, attempts: 0 },
  })
  expect(shop.lane.sent).toHaveLength(12)
  await shop.assertBalanced(job)
})

it('a job whose key is missing is paused with `credentials`, its chunks given back, and goes on with the key', async () => {
  const job = await shop.job({ rows: rows(12) })
  shop.noTakeUp = new SluiceError('credentials_missing', 'OPENAI_API_KEY is not set')
  const paused = await shop.work(job)
  expect(paused).toMatchObject({ state: 'paused', reason: 'credentials' })
  expect(paused.detail).toContain('OPENAI_API_KEY is not set')
  expect((await shop.store.jobs.progress(job.jobNo)).chunksLeased).toBe(0)
  shop.noTakeUp = null
  await resume(shop.jobDeps, paused)
  expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 12 } })
  await shop.assertBalanced(job)
})

it('a message that was fetched while a pause was wanted is there again when the pause is withdrawn', async () => {
  const job = await shop.job({ rows: rows(10) })
  await shop.store.jobs.want(job.jobNo, 'pause', 'user', null)
  // Another worker holds a message, so that the wish cannot be fulfilled yet.
  shop.alive.add('another')
  const [theirs] = await shop.queue.fetch('another', 1, { jobNo: job.jobNo })
  const worker = shop.start(null)
  await until('ours was fetched, and put back', async () => (await shop.queue.depth(job.jobNo)).delayed === 1)
  await shop.store.jobs.want(job.jobNo, null)
  if (theirs !== undefined) await shop.store.write((tx) => shop.queue.release(tx, theirs, 0))
  await until('the job has ended', async () => (await shop.reread(job)).state === 'completed')
  worker.stop()
  await worker.done
  await shop.assertBalanced(job)
})
