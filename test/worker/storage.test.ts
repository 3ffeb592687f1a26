import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { resume } from '../../src/job/control.ts'
import { topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const busy = new StorageFailure('busy', 'another process has held the database for 10 s')
const full = new StorageFailure('full', 'database or disk is full')

/** A worker with four rows in flight, which come home when the test says so. */
async function midway(patienceMs?: number) {
  const held = Promise.withResolvers<void>()
  shop.lane.answers(async () => {
    await held.promise
    return topic()
  })
  const job = await shop.job({ rows: rows(20) })
  const worker = shop.start(job, patienceMs === undefined ? {} : { patienceMs })
  await until('rows are in flight', () => shop.lane.open === 4)
  return { job, worker, release: held.resolve }
}

describe('a store that fails for a while', () => {
  it('has nothing sent meanwhile, keeps what was finished, and goes on by itself', async () => {
    const { job, worker, release } = await midway()
    shop.breakage = busy
    release()
    await until('it was tried again and again', () => shop.refused >= 5)
    expect(worker.view.storageFailing).toBe(true)
    expect(shop.lane.sent).toHaveLength(4)
    shop.breakage = null
    expect(await worker.done).toBe('stood_still')
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20, attempts: 20 } })
    expect(shop.lane.sent).toHaveLength(20)
    expect(shop.heard('storage.failing').length).toBeGreaterThan(0)
    expect(shop.heard('storage.back')).toHaveLength(shop.heard('storage.failing').length)
    await shop.assertBalanced(job)
  })

  it('even by being full pauses no job where it is waited for without end, and holds up nobody who is told to leave', async () => {
    const { job, worker, release } = await midway(Number.POSITIVE_INFINITY)
    shop.breakage = full
    const fromMs = shop.runtime.elapsed()
    release()
    await until('it was tried for longer than one machine would', () => shop.runtime.elapsed() - fromMs > 70_000)
    expect(worker.view.stopping).toBe(false)
    worker.stop()
    expect(await worker.done).toBe('left')
    shop.breakage = null
    expect(await shop.reread(job)).toMatchObject({ state: 'running', wanted: null })
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20 } })
    await shop.assertBalanced(job)
  })

  it('for longer than a lease lasts does not cost the worker its own chunks', async () => {
    await shop.close()
    const leaseMs = 5_000
    shop = await openWorkshop({ leaseMs })
    const { job, worker, release } = await midway(Number.POSITIVE_INFINITY)
    shop.breakage = busy
    const away = shop.runtime.elapsed()
    await until('the leases have run out', () => shop.runtime.elapsed() - away > 2 * leaseMs)
    shop.breakage = null
    release()
    expect(await worker.done).toBe('stood_still')
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20, attempts: 20 } })
    expect(shop.heard('chunk.claimed').map(({ epoch }) => epoch)).toEqual([1, 1, 1, 1])
    expect(shop.heard('chunk.stale')).toEqual([])
    await shop.assertBalanced(job)
  })

  it('may do so at every step', async () => {
    const job = await shop.job({ rows: rows(40) })
    const breaking = setInterval(() => {
      shop.breakage = shop.breakage === null ? busy : null
    }, 7)
    const ended = await shop.work(job).finally(() => clearInterval(breaking))
    expect(ended).toMatchObject({ state: 'completed', counters: { succeeded: 40, attempts: 40 } })
    expect(shop.refused).toBeGreaterThan(0)
    await shop.assertBalanced(job)
  })

  it('is given up after patience, with what was committed kept', async () => {
    const { job, worker, release } = await midway(2_000)
    shop.breakage = busy
    release()
    await expect(worker.done).rejects.toBe(busy)
    expect(shop.lane.sent).toHaveLength(4)
    await until('no slot is taken', () => shop.governor.state('openai/main').inFlight === 0)
    shop.breakage = null
    await shop.assertBalanced(job)
    const ended = await shop.work(job)
    expect(ended).toMatchObject({ state: 'completed', counters: { succeeded: 20, attempts: 24 } })
    expect(await shop.store.attempts.ledger(job.jobNo)).toMatchObject({ lost: 4, booked: 20 })
    await shop.assertBalanced(job)
  })

  it('does not hold up whoever abandons the work', async () => {
    const { job, worker, release } = await midway(3_600_000)
    shop.breakage = busy
    release()
    await until('a write was refused', () => shop.refused > 0)
    worker.stop()
    worker.abandon()
    expect(await worker.done).toBe('left')
    shop.breakage = null
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20 } })
    await shop.assertBalanced(job)
  })
})

describe('a disk that is full', () => {
  it('pauses the job with `storage` once the ballast has made room, everything finished kept', async () => {
    const { job, worker, release } = await midway()
    shop.onFreeBallast = () => {
      shop.breakage = null
    }
    shop.breakage = full
    release()
    expect(await worker.done).toBe('stood_still')
    const paused = await shop.reread(job)
    expect(paused).toMatchObject({ state: 'paused', reason: 'storage' })
    // What had been written down as about to be sent when the room was made was sent, and is kept too.
    expect(await shop.outcomes(job)).toHaveLength(shop.lane.sent.length)
    expect(await shop.store.attempts.ledger(job.jobNo)).toMatchObject({ open: 0, booked: shop.lane.sent.length })
    expect(shop.lane.sent.length).toBeLessThan(20)
    await shop.assertBalanced(job)
    await resume(shop.jobDeps, paused)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 20, attempts: 20 } })
    await shop.assertBalanced(job)
  })

  it('that stays full is given up after patience', async () => {
    const { worker, release } = await midway(2_000)
    shop.breakage = full
    release()
    await expect(worker.done).rejects.toBe(full)
    expect(shop.lane.sent).toHaveLength(4)
    shop.breakage = null
  })
})
