import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BatchSpec } from '../../src/domain/spec.ts'
import { cancel, pause, resume } from '../../src/job/control.ts'
import { spec as specWith } from '../row/fixture.ts'
import { fails, says, topic } from './scripted-lane.ts'
import { until } from './until.ts'
import { fallback, openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const base = specWith().model

const BATCH: BatchSpec = { retry: 'batch', requests: null, queueTokens: null, pollMs: 1_000 }
const byBatch = (more: Partial<BatchSpec> = {}) => ({ lane: 'batch' as const, batch: { ...BATCH, ...more } })

describe('a job that goes by batch', () => {
  it('is packed, answered and settled at half price, with the same outcomes as live', async () => {
    shop.startBatcher()
    const answers: Parameters<typeof shop.lane.answers>[0] = ({ text }) => topic(text.endsWith('1') ? 'login' : 'bug')
    shop.lane.answers(answers)
    const live = await shop.work(await shop.job({ rows: rows(23), execution: { cache: 'off' } }))
    const batch = await shop.work(await shop.job({ rows: rows(23), execution: { cache: 'off', ...byBatch() } }))
    expect(batch.state).toBe('completed')
    const [a, b] = [await shop.outcomes(live), await shop.outcomes(batch)]
    expect(b.map(({ rowId, state, output, attempts }) => [rowId, state, output, attempts])).toEqual(
      a.map(({ rowId, state, output, attempts }) => [rowId, state, output, attempts]),
    )
    expect(new Set(b.map(({ lane }) => lane))).toEqual(new Set(['batch']))
    expect(batch.counters.costNano * 2).toBe(live.counters.costNano)
    expect(shop.batches.made.flatMap(({ requests }) => requests)).toHaveLength(23)
    await shop.assertBalanced(batch)
  })

  it('asks equal rows once; the others take the answer, in their own chunk or another', async () => {
    shop.startBatcher()
    const texts = Array.from({ length: 30 }, (_, n) => `row ${n % 4}`)
    const job = await shop.work(await shop.job({ rows: texts, execution: byBatch() }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 30, cachedHere: 26, attempts: 4 } })
    expect(shop.lane.sent).toHaveLength(4)
    await shop.assertBalanced(job)
  })

  it('asks again in the next batch what did not fit, and ends what never does', async () => {
    shop.startBatcher()
    shop.lane.answers(({ text, time }) => {
      if (text === 'row 3') return time === 1 ? says('no topic') : topic()
      if (text === 'row 7') return says('never')
      return topic()
    })
    const job = await shop.work(await shop.job({ rows: rows(12), execution: byBatch() }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 11, failed: 1 } })
    const outcomes = await shop.outcomes(job)
    expect(outcomes[3]).toMatchObject({ state: 'succeeded', attempts: 2, lane: 'batch' })
    expect(outcomes[7]).toMatchObject({ state: 'failed', attempts: 3, lane: 'batch' })
    expect(shop.lane.sent.filter(({ text }) => text === 'row 0')).toHaveLength(1)
    await shop.assertBalanced(job)
  })

  it('asks again live, at full price, where the spec says so', async () => {
    shop.startBatcher()
    shop.lane.answers(({ text, time }) => (text === 'row 3' && time === 1 ? says('no topic') : topic()))
    const job = await shop.work(await shop.job({ rows: rows(12), execution: byBatch({ retry: 'live' }) }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 12 } })
    const outcomes = await shop.outcomes(job)
    expect(outcomes[3]).toMatchObject({ attempts: 2, lane: 'live' })
    expect(outcomes[4]).toMatchObject({ attempts: 1, lane: 'batch' })
    expect((outcomes[3]?.costNano ?? 0) / (outcomes[4]?.costNano ?? 1)).toBe(3)
    await shop.assertBalanced(job)
  })

  it('loses no row to a batch that expires, and pays for none of its unanswered ones', async () => {
    shop.startBatcher()
    shop.batches.ending = ({ id }) => (id === 'batch-1' ? 'expired' : 'completed')
    const job = await shop.work(await shop.job({ rows: rows(20), execution: byBatch() }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 20, failed: 0 } })
    expect(shop.lane.sent).toHaveLength(20)
    await shop.assertBalanced(job)
  })

  it('asks again for lines that are missing or make no sense, and books doubled ones once', async () => {
    shop.startBatcher()
    shop.batches.spoil = (lines, { id }) => {
      if (id !== 'batch-1') return lines
      const [first = '', second = '', ...rest] = lines
      return [...rest.toReversed(), second, second, `{"id":${first.slice(5, 20)}`]
    }
    const job = await shop.work(await shop.job({ rows: rows(10), chunkRows: 10, execution: byBatch() }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 10, failed: 0 } })
    expect(shop.lane.sent.filter(({ time }) => time === 2).map(({ text }) => text)).toEqual(['row 0'])
    await shop.assertBalanced(job)
  })

  it('sends rows live to a fallback that has no batch API', async () => {
    shop.startBatcher()
    shop.noBatches.add('live/only')
    const models = { ...base, fallback: [fallback('live/only', ['refused'])] }
    shop.lane.answers(({ text, model }) => (text === 'row 2' && model !== 'live/only' ? fails('refused') : topic()))
    const job = await shop.work(await shop.job({ rows: rows(5), spec: { model: models }, execution: byBatch() }))
    expect(job.counters).toMatchObject({ succeeded: 5, fallback: 1 })
    expect((await shop.outcomes(job)).map(({ lane }) => lane)).toEqual(['batch', 'batch', 'live', 'batch', 'batch'])
    await shop.assertBalanced(job)
  })
})

describe('while rows are out in batches', () => {
  const underway = async (job: Awaited<ReturnType<Workshop['job']>>) =>
    until('all rows are at the provider', async () => {
      const { placed, shards } = await shop.store.batches.outstanding(job.jobNo)
      return placed === job.rowsTotal && shards.every(({ state }) => state === 'submitted')
    })

  it('no chunk is held, no message waits, and a worker that dies changes nothing', async () => {
    shop.batches.held = true
    const job = await shop.job({ rows: rows(30), execution: byBatch() })
    const stop = shop.startBatcher()
    const first = shop.start(job)
    await underway(job)
    expect(first.view).toMatchObject({ chunks: 0, inFlight: 0 })
    expect(await shop.queue.depth(job.jobNo)).toMatchObject({ ready: 0, delayed: 0, leased: 0 })
    first.abandon()
    await first.done
    await stop()
    shop.batches.held = false
    shop.startBatcher()
    const done = await shop.work(job)
    expect(done).toMatchObject({ state: 'completed', counters: { succeeded: 30, attempts: 30 } })
    expect(shop.lane.sent).toHaveLength(30)
    await shop.assertBalanced(done)
  })

  it('a pause leaves them out; what comes back meanwhile is booked after the resume', async () => {
    shop.batches.held = true
    const job = await shop.job({ rows: rows(20), execution: byBatch() })
    shop.startBatcher()
    const worker = shop.start(job)
    await underway(job)
    await pause(shop.jobDeps, await shop.reread(job))
    await worker.done
    expect((await shop.reread(job)).state).toBe('paused')
    shop.batches.held = false
    await until('they came back', async () => (await shop.store.batches.outstanding(job.jobNo)).placed === 0)
    expect((await shop.reread(job)).state).toBe('paused')
    await resume(shop.jobDeps, await shop.reread(job))
    const done = await shop.work(job)
    expect(done).toMatchObject({ state: 'completed', counters: { succeeded: 20, attempts: 20 } })
    await shop.assertBalanced(done)
  })

  it('a cancelled job ends when its batches have: paid answers are kept, the rest is cancelled', async () => {
    shop.batches.held = true
    const job = await shop.job({ rows: rows(20), execution: byBatch() })
    shop.startBatcher()
    const worker = shop.start(job)
    await underway(job)
    await cancel(shop.jobDeps, await shop.reread(job))
    expect(await worker.done).toBe('stood_still')
    const done = await shop.reread(job)
    const paid = shop.lane.sent.length
    expect(paid).toBeGreaterThan(0)
    expect(done).toMatchObject({ state: 'cancelled', counters: { succeeded: paid, cancelled: 20 - paid } })
    expect(await shop.store.batches.outstanding(job.jobNo)).toMatchObject({ packed: 0, placed: 0, answered: 0 })
    await shop.assertBalanced(done)
  })

  it('a job that is cancelled before anything was sent ends at once, and nothing of it is in the ledger', async () => {
    const job = await shop.job({ rows: rows(20), execution: byBatch() })
    const worker = shop.start(job)
    await until('it is packed', async () => (await shop.store.batches.outstanding(job.jobNo)).packed === 20)
    await cancel(shop.jobDeps, await shop.reread(job))
    expect(await worker.done).toBe('stood_still')
    const done = await shop.reread(job)
    expect(done).toMatchObject({ state: 'cancelled', counters: { cancelled: 20, attempts: 0, costNano: 0 } })
    expect(shop.batches.made).toEqual([])
    await shop.assertBalanced(done)
  })

  it('a job that runs out of its time books what comes back before it fails', async () => {
    shop.batches.held = true
    const timeout = { requestMs: 1_000, jobMs: 10_000 }
    const job = await shop.job({ rows: rows(20), execution: { ...byBatch(), timeout } })
    shop.startBatcher()
    expect(await shop.start(job).done).toBe('stood_still')
    const done = await shop.reread(job)
    const paid = shop.lane.sent.length
    expect(paid).toBeGreaterThan(0)
    expect(done).toMatchObject({ state: 'failed', reason: 'timeout' })
    expect((await shop.store.jobs.progress(job.jobNo)).counters).toMatchObject({ succeeded: paid, attempts: 20 })
    await shop.assertBalanced(done)
  })

  it('a message that comes all the same asks nothing', async () => {
    shop.batches.held = true
    const job = await shop.job({ rows: rows(10), execution: byBatch() })
    shop.startBatcher()
    const worker = shop.start(job)
    await underway(job)
    await shop.store.write((tx) =>
      shop.queue.enqueue(tx, [
        { task: { kind: 'chunk', jobNo: job.jobNo, chunkNo: 0 }, tenantNo: job.tenantNo, priority: 'normal' },
      ]),
    )
    await until('it was put off', async () => (await shop.queue.depth(job.jobNo)).delayed === 1)
    shop.batches.held = false
    await worker.done
    expect(await shop.reread(job)).toMatchObject({ state: 'completed', counters: { succeeded: 10, attempts: 10 } })
  })
})

describe('a budget', () => {
  it('bounds what may be out: the rest goes when that has come back', async () => {
    shop.startBatcher()
    const worst = await worstOfRow()
    const budget = { usdNano: worst * 7, tokens: null, rowTokens: null, onExceed: 'pause' as const }
    const job = await shop.work(await shop.job({ rows: rows(12), spec: { budget }, execution: byBatch() }))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 12 } })
    for (const { requests } of shop.batches.made) expect(requests.length).toBeLessThanOrEqual(7)
    expect(job.counters.costNano).toBeLessThanOrEqual(worst * 7)
    await shop.assertBalanced(job)
  })

  it.each(['batch', 'live'] as const)('lets rows ask again by %s with what their own batch has left', async (retry) => {
    shop.startBatcher()
    const worst = await worstOfRow()
    shop.lane.answers(({ text, time }) => (text === 'row 1' && time === 1 ? says('no topic') : topic()))
    const budget = { usdNano: worst * 3, tokens: null, rowTokens: null, onExceed: 'pause' as const }
    const plan = { rows: rows(3), spec: { budget }, execution: byBatch({ retry }) }
    const job = await shop.work(await shop.job(plan))
    expect(job).toMatchObject({ state: 'completed', counters: { succeeded: 3, attempts: 4 } })
    await shop.assertBalanced(job)
  })

  it('that has no room for one more request pauses the job, when nothing is out any more', async () => {
    shop.startBatcher()
    const worst = await worstOfRow()
    const budget = { usdNano: Math.floor(worst / 2), tokens: null, rowTokens: null, onExceed: 'pause' as const }
    const job = await shop.work(await shop.job({ rows: rows(12), spec: { budget }, execution: byBatch() }))
    expect(job).toMatchObject({ state: 'paused', reason: 'budget' })
    expect(shop.batches.made).toEqual([])
  })

  /** What one request of these jobs can cost by batch. */
  async function worstOfRow(): Promise<number> {
    const job = await shop.job({
      rows: ['row 0'],
      spec: { name: 'measure' },
      execution: { cache: 'off', ...byBatch() },
    })
    const worker = shop.start(job)
    shop.batches.held = true
    await until(
      'it is packed',
      async () => (await shop.store.batches.outstanding(job.jobNo)).packed > 0 || shop.batches.made.length > 0,
    )
    const [part] = await shop.store.batches.ofChunk({ jobNo: job.jobNo, chunkNo: 0 })
    shop.batches.held = false
    await worker.done
    shop.batches.made.length = 0
    return part?.worst.nano ?? 0
  }
})
