import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/errors.ts'
import { createLeftToOthers, EMPTY_LOOKS, LEFT_MS } from '../../src/worker/left-to-others.ts'
import type { StorageGuard } from '../../src/worker/storage-guard.ts'
import type { WorkerDeps } from '../../src/worker/worker-deps.ts'
import { packed } from '../conformance/batches-fixture.ts'
import { claim, completeChunk, outcomeOf, queuedJob } from '../conformance/store-fixture.ts'
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

  it('pauses it when whoever it was left to has gone', async () => {
    await another()
    const job = await shop.job({ rows: rows(12) })
    let left = 0
    shop.events.on('duty.failed', () => void left++)
    shop.noTakeUp = NO_KEY
    const keyless = shop.start(null)
    await until('it has seen the job', () => left > 0)
    expect(await shop.reread(job)).toMatchObject({ wanted: null })
    shop.sayAlive = async () => undefined
    await shop.store.fleet.leave('another')
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

describe('a job that is left to others', () => {
  let nowMs = 0
  let jobNo = 0
  const looker = () => {
    const runtime = { ...shop.runtime, now: () => nowMs }
    const deps = { store: shop.store, runtime, workerId: 'keyless' } as WorkerDeps
    const guard = { persist: (work: () => Promise<unknown>) => work() } as StorageGuard
    return createLeftToOthers(deps, guard)
  }
  /** Looks again and again, after what `between` does, for as long as the job is left; returns how often it was, at the most `times`. */
  const leftFor = async (times: number, between: (look: number) => Promise<unknown> = async () => undefined) => {
    const { leave } = looker()
    for (let look = 0; look < times; look += 1) {
      nowMs += LEFT_MS
      await between(look)
      if (!(await leave(jobNo))) return look
    }
    return times
  }
  const MANY = 3 * EMPTY_LOOKS
  beforeEach(async () => {
    await another()
    jobNo = (
      await queuedJob(
        shop.store,
        Array.from({ length: MANY }, () => 1),
      )
    ).jobNo
    await claim(shop.store, jobNo, 0, 'keyless')
  })

  it('is told of after ten minutes in which nobody was at work on it', async () => {
    expect(EMPTY_LOOKS * LEFT_MS).toBe(600_000)
    expect(await leftFor(MANY)).toBe(EMPTY_LOOKS)
  })

  it('goes on being left while somebody brings it on, though nobody holds a chunk of it when it is looked at', async () => {
    const bringOn = async (look: number) => {
      if (look % (EMPTY_LOOKS - 1) !== 0) return
      const taken = await claim(shop.store, jobNo, 1 + look, 'another')
      await completeChunk(shop.store, taken, [outcomeOf(1 + look)])
    }
    expect(await leftFor(MANY, bringOn)).toBe(MANY)
  })

  it('goes on being left while somebody holds a chunk of it', async () => {
    await claim(shop.store, jobNo, 1, 'another')
    expect(await leftFor(MANY)).toBe(MANY)
  })

  it('goes on being left while parts of it are out in a batch', async () => {
    await packed(shop.store, { jobNo, chunkNo: 1 }, [1])
    expect(await leftFor(MANY)).toBe(MANY)
  })

  it('is looked at anew where nobody came by for long', async () => {
    const pause = async (look: number) => {
      if (look === EMPTY_LOOKS - 1) nowMs += EMPTY_LOOKS * LEFT_MS
    }
    expect(await leftFor(MANY, pause)).toBe(2 * EMPTY_LOOKS - 1)
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
