import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { LEFT_MS } from '../../src/worker/left-to-others.ts'
import { anOpenAiBatch } from '../conformance/store-service-batches.ts'
import { hastyRuntime } from './hasty-runtime.ts'
import { until } from './until.ts'
import { openWorkshop, rows, type Workshop } from './workshop.ts'

let shop: Workshop
let skippedMs = 0
beforeEach(async () => {
  const runtime = hastyRuntime(5)
  skippedMs = 0
  shop = await openWorkshop({ runtime: { ...runtime, now: () => runtime.now() + skippedMs } })
})
afterEach(() => shop.close())

/** Somebody is there, and stays, who may take any job, or this one alone. */
async function another(jobNo: number | null = null): Promise<void> {
  const member = { workerId: 'another', host: 'elsewhere', pid: 1, version: '0', jobNo, chunks: 5, concurrency: null }
  shop.sayAlive = () => shop.store.fleet.join(member)
  await shop.sayAlive()
}

const NO_KEY = new SluiceError('credentials_missing', 'OPENAI_API_KEY is not set')

describe('a worker without the key of a job', () => {
  it('leaves it to another of its fleet, which has one', async () => {
    await another()
    const job = await shop.job({ rows: rows(12) })
    const left: string[] = []
    shop.events.on('duty.failed', ({ message }) => left.push(message))
    shop.noTakeUp = NO_KEY
    const keyless = shop.start(null)
    await until('it has seen the job', () => left.length > 0)
    expect(left[0]).toBe('OPENAI_API_KEY is not set: left to other workers')
    shop.noTakeUp = null
    // Whoever comes has the key now; the first one goes on resting.
    const other = shop.start(null)
    await until('the job has ended', async () => (await shop.reread(job)).state === 'completed')
    for (const worker of [keyless, other]) worker.stop()
    for (const worker of [keyless, other]) await worker.done
    expect(shop.heard('chunk.claimed').length).toBeGreaterThan(0)
    await shop.assertBalanced(job)
  })

  it('pauses it when nobody else has begun with it for a while', async () => {
    await another()
    const job = await shop.job({ rows: rows(12) })
    let left = 0
    shop.events.on('duty.failed', () => void left++)
    shop.noTakeUp = NO_KEY
    const keyless = shop.start(null)
    await until('it has seen the job', () => left > 0)
    expect(await shop.reread(job)).toMatchObject({ wanted: null })
    skippedMs += LEFT_MS
    await until('the job is paused', async () => (await shop.reread(job)).state === 'paused')
    expect(await shop.reread(job)).toMatchObject({ reason: 'credentials' })
    keyless.stop()
    await keyless.done
  })

  it('pauses it at once where nobody else could take it', async () => {
    await another(999)
    const job = await shop.job({ rows: rows(12) })
    shop.noTakeUp = NO_KEY
    expect(await shop.work(job)).toMatchObject({ state: 'paused', reason: 'credentials' })
  })
})

describe('a worker that leaves when nothing is left', () => {
  it('stays while a batch waits for its check or its files', async () => {
    const batch = anOpenAiBatch()
    await shop.store.openAiBatches.add(batch)
    let beats = 0
    shop.sayAlive = async () => void beats++
    const worker = shop.start(null, { untilIdle: true })
    await until('it has looked around', () => beats > 2)
    expect(worker.view.leaving).toBe(false)
    await shop.store.openAiBatches.set(1, batch.id, { failedAtMs: shop.runtime.now() })
    expect(await worker.done).toBe('stood_still')
  })
})
