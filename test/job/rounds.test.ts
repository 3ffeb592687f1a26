import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Job } from '../../src/domain/job.ts'
import { SluiceError } from '../../src/errors.ts'
import { cancel, fulfilWish, mendQueue, pause, resume } from '../../src/job/control.ts'
import { finalize } from '../../src/job/finalize.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { rebuildQueue } from '../../src/job/rebuild.ts'
import { retry } from '../../src/job/retry.ts'
import { newJob } from '../conformance/store-fixture.ts'
import { fails, says, topic } from '../worker/scripted-lane.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

/** A job of three chunks whose rows 0, 6 and 7 were refused, and whose row 11 answered nonsense. */
async function imperfect() {
  shop.lane.answers(({ text }) => {
    if (['row 0', 'row 6', 'row 7'].includes(text)) return fails('refused')
    return text === 'row 11' ? says('nonsense') : topic()
  })
  const job = await shop.job({ rows: rows(12) })
  const ended = await shop.work(job)
  expect(ended).toMatchObject({ state: 'completed', counters: { succeeded: 8, failed: 4 } })
  shop.lane.answers(() => topic('login'))
  return ended
}

describe('a retry', () => {
  it.each([
    ['everything that failed', {}, ['row 0', 'row 11', 'row 6', 'row 7']],
    ['one cause', { causes: ['refused'] as const }, ['row 0', 'row 6', 'row 7']],
    ['one chunk', { chunkNos: [1] }, ['row 6', 'row 7']],
    ['one row', { rowIds: ['11'] }, ['row 11']],
    ['a cause in a chunk', { causes: ['refused'] as const, chunkNos: [0, 2] }, ['row 0']],
  ])('of %s sends only those rows, in a new round', async (_what, selection, expected) => {
    const job = await imperfect()
    const before = shop.lane.sent.length
    expect(await retry(shop.jobDeps, job, selection, job.specHash)).toBe(expected.length)
    await shop.assertBalanced(job)
    const ended = await shop.work(job)
    expect(
      shop.lane.sent
        .slice(before)
        .map(({ text }) => text)
        .sort(),
    ).toEqual(expected)
    expect(ended).toMatchObject({ state: 'completed', round: 1, counters: { succeeded: 8 + expected.length } })
    const outcomes = await shop.outcomes(job)
    expect(outcomes).toHaveLength(12)
    expect(
      outcomes
        .filter(({ round }) => round === 1)
        .map(({ rowIndex }) => `row ${rowIndex}`)
        .sort(),
    ).toEqual(expected)
    await shop.assertBalanced(job)
  })

  it('with another spec records which one made each row', async () => {
    const job = await imperfect()
    const other = await shop.job({
      rows: [],
      spec: {
        model: {
          ...(await shop.jobDeps.specOf(job)).model,
          target: { id: 'openai/large', baseUrl: null, apiKeyEnv: null, params: {} },
        },
      },
    })
    await retry(shop.jobDeps, job, { rowIds: ['6'] }, other.specHash)
    await shop.work(job)
    expect(shop.lane.sent.at(-1)).toMatchObject({ text: 'row 6', model: 'openai/large' })
    expect((await shop.store.rows.get(job.jobNo, 6))?.specHash).toBe(other.specHash)
    expect((await shop.store.rows.get(job.jobNo, 5))?.specHash).toBe(job.specHash)
    await shop.assertBalanced(job)
  })

  it('of nothing changes nothing', async () => {
    const job = await imperfect()
    expect(await retry(shop.jobDeps, job, { rowIds: ['3'] }, job.specHash)).toBe(0)
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', round: 0 })
  })

  it('keeps the old attempts, and numbers the new ones anew', async () => {
    const job = await imperfect()
    await retry(shop.jobDeps, job, { rowIds: ['11'] }, job.specHash)
    await shop.work(job)
    const attempts = await shop.store.attempts.ofRow(job.jobNo, 11)
    expect(attempts.map(({ round, number }) => `${round}/${number}`)).toEqual(['0/1', '0/2', '0/3', '1/1'])
    expect((await shop.store.rows.get(job.jobNo, 11))?.attempts).toBe(1)
  })

  it('is refused on a job that has not ended, or whose input was never read', async () => {
    const running = await shop.job({ rows: rows(3) })
    await expect(retry(shop.jobDeps, running, {}, running.specHash)).rejects.toThrow(SluiceError)
    const { job } = await shop.store.jobs.create(newJob({ specHash: running.specHash }))
    await cancel(shop.jobDeps, job)
    await expect(retry(shop.jobDeps, await shop.reread(job), {}, job.specHash)).rejects.toThrow(
      'before its input was read',
    )
  })

  it('takes up what a cancel had left undone', async () => {
    const job = await shop.job({ rows: rows(12) })
    await cancel(shop.jobDeps, job)
    const cancelled = await shop.reread(job)
    expect(cancelled).toMatchObject({ state: 'cancelled', counters: { cancelled: 12 } })
    expect(await retry(shop.jobDeps, cancelled, { causes: ['cancelled'] }, job.specHash)).toBe(12)
    expect(await shop.work(job)).toMatchObject({ state: 'completed', counters: { succeeded: 12, cancelled: 0 } })
    await shop.assertBalanced(job)
  })
})

describe('the end of a round', () => {
  it('fails a job that missed a gate, and says by how much', async () => {
    shop.lane.answers(({ text }) => (text === 'row 1' ? fails('refused') : topic()))
    const job = await shop.job({ rows: rows(4), spec: { gates: { minSuccess: 0.9, maxCostPerRowNano: 1 } } })
    const ended = await shop.work(job)
    expect(ended).toMatchObject({ state: 'failed', reason: 'gate' })
    expect(ended.detail).toMatch(/min_success: 75 % .*; max_cost_per_row_usd: /)
  })

  it('fails a job whose results cannot be written, and says why', async () => {
    shop.writeResults = async () => {
      throw new SluiceError('output_unwritable', 'out.csv: permission denied')
    }
    const job = await shop.job({ rows: rows(2), spec: { write: { path: 'out.csv', includeInput: true } } })
    expect(await shop.work(job)).toMatchObject({
      state: 'failed',
      reason: 'error',
      detail: 'the results could not be written: out.csv: permission denied',
    })
  })

  it('can be repeated without harm', async () => {
    const job = await shop.job({ rows: rows(2) })
    const ended = await shop.work(job)
    await finalize(shop.jobDeps, job.jobNo, 0, new AbortController().signal)
    await finalize(shop.jobDeps, job.jobNo, 1, new AbortController().signal)
    expect(await shop.reread(job)).toEqual(ended)
  })

  it('that breaks down is not lost: whoever resumes the job ends it', async () => {
    let broken = true
    shop.writeResults = async () => {
      if (broken) throw new TypeError('a defect')
    }
    const job = await shop.job({ rows: rows(2), spec: { write: { path: 'out.csv', includeInput: true } } })
    await expect(shop.start(job).done).rejects.toThrow('a defect')
    expect(await shop.reread(job)).toMatchObject({ state: 'finalizing' })
    // Its message stays with who died over it: so it is known how often that was.
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ leased: 1, delayed: 0 })
    broken = false
    await resume(shop.jobDeps, await shop.reread(job))
    expect(await shop.work(job)).toMatchObject({ state: 'completed' })
  })
})

describe('control without a worker', () => {
  it('pauses and resumes at once, as often as asked', async () => {
    const job = await shop.job({ rows: rows(12) })
    for (const _ of [1, 2]) await pause(shop.jobDeps, await shop.reread(job))
    expect(await shop.reread(job)).toMatchObject({ state: 'paused', reason: 'user', wanted: null })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 0, leased: 0 })
    for (const _ of [1, 2]) await resume(shop.jobDeps, await shop.reread(job))
    expect(await shop.reread(job)).toMatchObject({ state: 'queued', reason: null })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 3 })
    expect(await shop.work(job)).toMatchObject({ state: 'completed' })
  })

  it('cancels a paused job', async () => {
    const job = await shop.job({ rows: rows(12) })
    await pause(shop.jobDeps, job)
    await cancel(shop.jobDeps, await shop.reread(job))
    expect(await shop.reread(job)).toMatchObject({ state: 'cancelled', openChunks: 0, counters: { cancelled: 12 } })
    await shop.assertBalanced(job)
  })

  it('cancels a job whose snapshot is damaged', async () => {
    const job = await shop.job({ rows: rows(7) })
    shop.beforeRead = () => {
      throw new SluiceError('snapshot_damaged', 'segment 0 is missing')
    }
    await cancel(shop.jobDeps, job)
    expect(await shop.reread(job)).toMatchObject({ state: 'cancelled', counters: { cancelled: 7 } })
    expect((await shop.outcomes(job)).map(({ rowId }) => rowId)).toEqual(['0', '1', '2', '3', '4', '5', '6'])
  })

  it('resumes a job that was paused before its input was read, and ends one that turns out empty', async () => {
    const empty = await shop.job({ rows: [] })
    await shop.store.write(async (tx) => {
      await shop.queue.purge(tx, empty.jobNo)
    })
    // It stood `finalizing` without a message: mended.
    await mendQueue(shop.jobDeps, empty.jobNo)
    expect(await shop.work(empty)).toMatchObject({ state: 'completed' })

    const { job } = await shop.store.jobs.create(newJob({ specHash: empty.specHash }))
    await pause(shop.jobDeps, job)
    expect((await shop.reread(job)).state).toBe('paused')
    await resume(shop.jobDeps, await shop.reread(job))
    expect((await shop.reread(job)).state).toBe('created')
  })

  it('refuses what a job is in no state for', async () => {
    const job = await shop.work(await shop.job({ rows: rows(1) }))
    await expect(pause(shop.jobDeps, job)).rejects.toThrow('cannot be paused')
    await expect(resume(shop.jobDeps, job)).rejects.toThrow('cannot be resumed')
    await expect(cancel(shop.jobDeps, job)).rejects.toThrow('cannot be cancelled')
  })

  it('does not pause a job whose wish to pause was withdrawn just then', async () => {
    const job = await shop.job({ rows: rows(5) })
    await shop.store.jobs.want(job.jobNo, 'pause', 'user', null)
    const depth = shop.queue.depth
    const late = {
      ...shop.jobDeps,
      queue: {
        ...shop.queue,
        depth: async (jobNo: number) => {
          const found = await depth(jobNo)
          await resume(shop.jobDeps, await shop.reread(job))
          return found
        },
      },
    }
    await fulfilWish(late, job.jobNo)
    expect(await shop.reread(job)).toMatchObject({ state: 'queued', wanted: null })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 1 })
  })

  it.each([
    ['resume', (deps: JobDeps, job: Job) => resume(deps, job)],
    ['rebuilding of the queue', (deps: JobDeps, job: Job) => rebuildQueue(deps, job.tenantNo)],
  ])('takes no chunk by a %s from a worker that fetched it just then', async (_what, change) => {
    const job = await shop.job({ rows: rows(12) })
    const fetched = await shop.queue.fetch('another', 1)
    await shop.store.chunks.claim({ jobNo: job.jobNo, chunkNo: 0 }, 'another', false, shop.runtime.now())
    let looks = 0
    const late = {
      ...shop.jobDeps,
      isGone: async () => false,
      queue: {
        ...shop.queue,
        // The first look is from before the fetch.
        depth: async (jobNo: number) => ({ ...(await shop.queue.depth(jobNo)), ...(looks++ === 0 && { leased: 0 }) }),
      },
    }
    await change(late, await shop.reread(job))
    expect(looks).toBe(2)
    expect(await shop.queue.extend(fetched)).toStrictEqual(fetched)
    expect(await shop.store.chunks.get({ jobNo: job.jobNo, chunkNo: 0 })).toMatchObject({ owner: 'another', epoch: 1 })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 2, leased: 1 })
  })
})
