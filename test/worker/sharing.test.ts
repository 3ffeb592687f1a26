import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { resume } from '../../src/job/control.ts'
import { topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** Answers only after `release`. */
function hold() {
  const held = Promise.withResolvers<void>()
  shop.lane.answers(async () => {
    await held.promise
    return topic()
  })
  return () => held.resolve()
}

describe('two workers on one job', () => {
  it('never share a chunk, send each row once, and finalize once', async () => {
    let exports = 0
    shop.writeResults = async () => {
      exports += 1
    }
    const job = await shop.job({ rows: rows(120), spec: { write: { path: 'out.csv', includeInput: true } } })
    const workers = [shop.start(job, { chunks: 3 }), shop.start(job, { chunks: 3 })]
    expect(await Promise.all(workers.map((worker) => worker.done))).toEqual(['stood_still', 'stood_still'])
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 120, attempts: 120 } })
    const claims = shop.heard('chunk.claimed').map(({ chunkNo, epoch }) => `${chunkNo}/${epoch}`)
    expect(new Set(claims).size).toBe(24)
    expect(claims.every((claim) => claim.endsWith('/1'))).toBe(true)
    expect(new Set(shop.lane.sent.map(({ text }) => text)).size).toBe(120)
    expect(exports).toBe(1)
    await shop.assertBalanced(job)
  })

  it('both obey a wish, and the last one makes the change', async () => {
    const release = hold()
    const job = await shop.job({ rows: rows(60) })
    const workers = [shop.start(job, { chunks: 2 }), shop.start(job, { chunks: 2 })]
    await until('both have chunks', () => shop.heard('chunk.claimed').length === 4)
    await until('rows are in flight', () => shop.lane.open > 0)
    await shop.store.jobs.want(job.jobNo, 'pause', 'user', null)
    await until('they have heard', () => workers.some((worker) => worker.view.stopping))
    release()
    await Promise.all(workers.map((worker) => worker.done))
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'user' })
    await shop.assertBalanced(job)
    await resume(shop.jobDeps, await shop.reread(job))
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 60, attempts: 60 } })
    await shop.assertBalanced(job)
  })
})

describe('a worker whose chunk was taken by another', () => {
  it('writes nothing more, and what it paid for is booked as orphaned', async () => {
    const release = hold()
    const job = await shop.job({ rows: rows(4), chunkRows: 4 })
    const frozen = shop.start(job)
    await until('its rows are in flight', () => shop.lane.open === 4)
    // As another process would, after the lease had run out.
    await shop.store.chunks.claim({ jobNo: job.jobNo, chunkNo: 0 }, 'another', true, shop.runtime.now())
    await shop.assertBalanced(job)
    release()
    await until('it has noticed', () => shop.heard('chunk.stale').length === 1)
    expect(await shop.outcomes(job)).toEqual([])
    await until('all is booked', async () => (await shop.store.attempts.ledger(job.jobNo)).orphaned === 4)
    await shop.assertBalanced(job)
    frozen.abandon()
    await frozen.done

    await resume(shop.jobDeps, await shop.reread(job))
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 4, attempts: 8 } })
    await shop.assertBalanced(job)
  })

  it('drops the rows of a chunk whose lease was lost', async () => {
    const release = hold()
    const job = await shop.job({ rows: rows(10), chunkRows: 5 })
    const frozen = shop.start(job, { chunks: 1 })
    await until('its rows are in flight', () => shop.lane.open === 4)
    await shop.store.write((tx) => shop.queue.purge(tx, job.jobNo))
    await until('it has noticed', () => shop.heard('chunk.stale').length === 1)
    release()
    // The queue lost its messages: they are made again from the manifest.
    await frozen.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10 } })
    await shop.assertBalanced(job)
  })
})

describe('a worker that dies', () => {
  it('costs what was in flight, booked as lost at its worst case, and nothing else', async () => {
    const release = hold()
    const job = await shop.job({ rows: rows(20) })
    const first = shop.start(job)
    await until('rows are in flight', () => shop.lane.open === 4)
    first.abandon()
    expect(await first.done).toBe('left')
    await shop.assertBalanced(job)
    release()
    await shop.work(job)
    const ledger = await shop.store.attempts.ledger(job.jobNo)
    expect(ledger).toMatchObject({ attempts: 24, booked: 20, lost: 4, open: 0 })
    expect(ledger.lostCostNano).toBeGreaterThan(4 * 200 * 4000 - 1)
    expect(shop.lane.sent).toHaveLength(24)
    await shop.assertBalanced(job)
  })

  it('again and again over one chunk, gives it up: dead letters, and the job goes on', async () => {
    const job = await shop.job({ rows: ['poison', ...rows(9)], chunkRows: 5, execution: { chunkAttempts: 2 } })
    for (let death = 0; death < 2; death++) {
      shop.lane.answers(({ text }) => (text === 'poison' ? Promise.withResolvers<never>().promise : topic()))
      const doomed = shop.start(job)
      await until('it has taken the poison', () => shop.lane.open === 1)
      await until('the others have ended', async () => (await shop.outcomes(job)).length === 9)
      doomed.abandon()
      await doomed.done
      await shop.assertBalanced(job)
    }
    const ended = await shop.work(job)
    expect(ended).toMatchObject({ state: 'completed', counters: { succeeded: 9, failed: 1 } })
    expect(await shop.store.rows.get(job.jobNo, 0)).toMatchObject({ state: 'failed', cause: 'chunk_failed' })
    expect(await shop.store.chunks.get({ jobNo: job.jobNo, chunkNo: 0 })).toMatchObject({ state: 'failed', deaths: 2 })
    await shop.assertBalanced(job)
  })

  it('is forgiven by whoever resumes the job', async () => {
    const job = await shop.job({ rows: rows(5), execution: { chunkAttempts: 1 } })
    for (let death = 0; death < 4; death++) {
      const release = hold()
      const doomed = shop.start(job)
      await until('rows are in flight', () => shop.lane.open === 4)
      doomed.abandon()
      await doomed.done
      release()
      await resume(shop.jobDeps, await shop.reread(job))
      await shop.assertBalanced(job)
    }
    shop.lane.answers(() => topic())
    expect(await shop.work(job)).toMatchObject({
      state: 'completed',
      counters: { succeeded: 5, failed: 0, attempts: 21 },
    })
    await shop.assertBalanced(job)
  })
})

describe('a job that cannot be worked on', () => {
  it('gives the chunk back and fails with what was wrong when its snapshot is damaged', async () => {
    const { SluiceError } = await import('../../src/errors.ts')
    shop.beforeRead = (chunkNo) => {
      if (chunkNo === 2) throw new SluiceError('snapshot_damaged', 'segment 0 is missing')
    }
    const job = await shop.job({ rows: rows(20) })
    const ended = await shop.work(job)
    expect(ended).toMatchObject({ state: 'failed', reason: 'error' })
    expect(ended.detail).toContain('segment 0 is missing')
    expect((await shop.store.jobs.progress(job.jobNo)).chunksLeased).toBe(0)
    await shop.assertBalanced(job)
  })

  it('is taken up again after a defect while a chunk was opened', async () => {
    let broken = true
    shop.beforeRead = () => {
      if (broken) throw new TypeError('a defect')
    }
    const job = await shop.job({ rows: rows(10) })
    await expect(shop.start(job).done).rejects.toThrow('a defect')
    broken = false
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10 } })
  })

  it('is stopped by a defect in the lane, with no slot lost', async () => {
    shop.lane.answers(() => Promise.reject(new TypeError('a defect')))
    const job = await shop.job({ rows: rows(10) })
    await expect(shop.start(job).done).rejects.toThrow('a defect')
    await until('no slot is taken', () => shop.governor.state('openai/main').inFlight === 0)
    shop.lane.answers(() => topic())
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10 } })
    await shop.assertBalanced(job)
  })
})
