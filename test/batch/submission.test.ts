import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBatcher } from '../../src/batch/batcher.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { type Depot, openDepot } from './depot.ts'

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

const never = new AbortController().signal

describe('what the provider refuses', () => {
  it('waits out a refusal that passes', async () => {
    await depot.pack([3])
    depot.befall({ upload: ['refused', 'before'], create: ['refused'] })
    await depot.untilSubmitted()
    expect(depot.created()).toBe(1)
  })

  it('tells the rows of one that does not', async () => {
    const packed = await depot.pack([3, 1])
    depot.befall({ create: ['malformed'] })
    await depot.drive(depot.batcher(), packed.isOver)
    const told = { state: 'void', failure: { cause: 'provider_error', status: 400, retryable: true } }
    expect(await packed.parts()).toMatchObject([told, told])
    expect((await depot.queue.depth(packed.job.jobNo)).ready).toBe(2)
    expect(depot.api.files).toEqual(new Set())
  })

  it('tells the rows that the key is missing', async () => {
    const packed = await depot.pack([3])
    depot.api.keyMissing = true
    await depot.drive(depot.batcher(), packed.isOver)
    expect((await packed.parts())[0]?.failure?.cause).toBe('credentials')
  })

  it.each([true, false])('tells the rows that their requests are gone (by file: %s)', async (byFile) => {
    depot.api.byFile = byFile
    const packed = await depot.pack([3])
    await depot.blob.removeAll(`jobs/${packed.job.id}/batch/`)
    await depot.drive(depot.batcher(), packed.isOver)
    expect((await packed.parts())[0]?.failure?.cause).toBe('unknown')
    expect(depot.created()).toBe(0)
  })

  it('comes again with less where the queue is full, and pauses ever longer', async () => {
    const packed = await depot.pack([5, 5, 5, 5], { tokens: 10 })
    depot.befall({ create: ['full', 'full'] })
    const batcher = await depot.untilSubmitted()
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length)).toEqual([5])
    await depot.drive(batcher, async () => {
      depot.api.endAll()
      return packed.isOver()
    })
    await packed.assertAnswered()
  })

  it('comes again where the queue was found full at validation', async () => {
    const packed = await depot.pack([2, 2])
    const batcher = await depot.untilSubmitted()
    Object.assign(depot.api.batches[0]!, { phase: 'ended', end: 'failed', queueFull: true })
    await depot.drive(batcher, async () => depot.created() === 2)
    expect(await depot.inState('returned')).toHaveLength(1)
    await depot.drive(batcher, async () => {
      depot.api.endAll()
      return packed.isOver()
    })
    await packed.assertAnswered()
  })

  it('keeps to the limit that a job gives for what may wait', async () => {
    const packed = await depot.pack([5, 5, 5], { tokens: 10 })
    depot.policy = { ...depot.policy, queueTokens: 100 }
    const batcher = depot.batcher()
    for (let turn = 0; turn < 5; turn++) {
      await depot.turn(batcher)
      await depot.runtime.pass(60_000)
    }
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length)).toEqual([10])
    depot.api.endAll()
    await depot.drive(batcher, async () => {
      depot.api.endAll()
      return packed.isOver()
    })
    await packed.assertAnswered()
  })

  it('tells the rows of a batch that failed as a whole', async () => {
    const packed = await depot.pack([2])
    const batcher = await depot.untilSubmitted()
    depot.api.endAll('failed')
    await depot.drive(batcher, packed.isOver)
    expect((await packed.parts())[0]).toMatchObject({
      state: 'void',
      failure: { cause: 'provider_error', status: 400 },
    })
  })
})

describe('one that is slow', () => {
  it('does not create a batch when its intent has grown old while it was written', async () => {
    await depot.pack([2])
    const { batches } = depot.store
    let slow = true
    const change: typeof batches.change = async (shard, changes) => {
      const changed = await batches.change(shard, changes)
      if (slow && changes.fileId !== null && changes.state === 'submitting') await depot.runtime.pass(20_001)
      return changed
    }
    const batcher = createBatcher({ ...depot.deps('slow'), store: { ...depot.store, batches: { ...batches, change } } })
    await depot.turn(batcher)
    expect(depot.created()).toBe(0)
    expect(await depot.inState('planned')).toHaveLength(1)
    slow = false
    await depot.untilSubmitted(batcher)
    expect(depot.created()).toBe(1)
  })
})

describe('a store that is away', () => {
  it('keeps trying to write down what the provider answered', async () => {
    await depot.pack([2])
    let away = false
    const { batches } = depot.store
    const refuse = () => Promise.reject(new StorageFailure('busy', 'away'))
    const deps = depot.deps('batcher-1')
    const change: typeof batches.change = (...args) => (away ? refuse() : batches.change(...args))
    const batcher = createBatcher({ ...deps, store: { ...depot.store, batches: { ...batches, change } } })
    depot.api.mishap = (call) => {
      if (call === 'create') away = true
      return null
    }
    await batcher.begin(never)
    let rested = false
    const resting = batcher.rest().then(() => {
      rested = true
    })
    await expect.poll(depot.created).toBe(1)
    expect(rested).toBe(false)
    away = false
    await expect
      .poll(async () => {
        await depot.runtime.pass(500)
        return rested
      })
      .toBe(true)
    await resting
    expect((await depot.inState('submitted'))[0]).toMatchObject({ batchId: 'batch_1', guessed: false })
    expect(depot.api.calls.filter(({ call }) => call === 'list')).toEqual([])
  })
})
