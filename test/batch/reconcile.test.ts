import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Depot, openDepot } from './depot.ts'

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

describe('a create whose answer is lost', () => {
  it('is found again by its name, and not repeated', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['after'] })
    const batcher = await depot.untilSubmitted()
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.created()).toBe(1)
    await packed.assertAnswered()
  })

  it('is repeated when nothing was created, and not before everything has settled', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['before'] })
    const batcher = depot.batcher()
    const beganMs = depot.runtime.now()
    await depot.drive(batcher, async () => depot.created() > 0, 5_000)
    expect(depot.runtime.now() - beganMs).toBeGreaterThanOrEqual(140_000)
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()
  })

  it('cannot have been begun where the file is still missing: what was being uploaded is sent again at once', async () => {
    const packed = await depot.pack([3])
    depot.befall({ upload: ['refused'] })
    const batcher = depot.batcher()
    await depot.turn(batcher)
    const [planned] = await depot.inState('planned')
    const nowMs = depot.runtime.now()
    await depot.store.batches.change(planned!, {
      state: 'submitting',
      submitter: 'one who died',
      intentAtMs: nowMs,
      nextLookMs: nowMs,
    })
    await depot.untilSubmitted(batcher)
    expect(depot.runtime.now() - nowMs).toBeLessThan(100_000)
    expect(depot.api.calls.filter(({ call }) => call === 'list')).toEqual([])
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.created()).toBe(1)
    await packed.assertAnswered()
  })

  it('is neither found nor repeated while the provider cannot be asked', async () => {
    await depot.pack([3])
    depot.befall({ create: ['after'], list: Array.from({ length: 30 }, () => 'before' as const) })
    const batcher = depot.batcher()
    for (let turn = 0; turn < 30; turn++) {
      await depot.turn(batcher)
      await depot.runtime.pass(30_000)
    }
    expect(await depot.inState('submitting')).toHaveLength(1)
    expect(depot.created()).toBe(1)
  })

  it('was created twice by somebody on the way: the second is cancelled', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['after'] })
    const batcher = depot.batcher()
    await depot.turn(batcher)
    const [first] = depot.api.batches
    depot.api.batches.push({ ...first!, id: 'batch_again', createdAtMs: depot.runtime.now() + 1 })
    await depot.untilSubmitted(batcher)
    expect((await depot.inState('submitted'))[0]?.batchId).toBe('batch_1')
    expect(depot.api.batches.map(({ phase }) => phase)).toEqual(['running', 'cancelling'])
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()
  })
})

describe('where batches carry no names', () => {
  beforeEach(() => {
    depot.api.named = false
    depot.api.byFile = false
  })

  it('takes the only batch that it can be', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['after'] })
    const batcher = await depot.untilSubmitted()
    expect((await depot.inState('submitted'))[0]).toMatchObject({ guessed: true, batchId: 'batch_1' })
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.created()).toBe(1)
    await packed.assertAnswered()
  })

  it('lets go of one that proves foreign, and sends its own', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['before'] })
    depot.api.addForeign(3, depot.runtime.now())
    const batcher = await depot.untilSubmitted()
    expect((await depot.inState('submitted'))[0]).toMatchObject({ guessed: true, batchId: 'batch_1' })
    depot.api.endAll()
    await depot.drive(batcher, async () => (await depot.inState('submitted')).some(({ guessed }) => !guessed))
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.api.batches.map(({ shardId }) => shardId === 'foreign')).toEqual([true, false])
    await packed.assertAnswered()
  })

  it('never cancels a batch that may be somebody else’s', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['before'] })
    const foreign = depot.api.addForeign(3, depot.runtime.now())
    const batcher = await depot.untilSubmitted()
    await depot.store.batches.wantCancel(packed.job.jobNo, depot.runtime.now())
    for (let turn = 0; turn < 5; turn++) {
      await depot.turn(batcher)
      await depot.runtime.pass(60_000)
    }
    expect(foreign.phase).toBe('running')
    expect(depot.api.calls.filter(({ call }) => call === 'cancel')).toEqual([])
  })

  it('sets a shard aside that several batches could be, and finds it by its results', async () => {
    const packed = await depot.pack([3])
    depot.befall({ create: ['after'] })
    const foreign = depot.api.addForeign(3, depot.runtime.now())
    const batcher = depot.batcher()
    await depot.drive(batcher, async () => (await depot.inState('unclear')).length === 1)
    expect((await depot.inState('unclear'))[0]?.note).toMatch(/batch_2, batch_1/)
    for (let turn = 0; turn < 20; turn++) {
      await depot.turn(batcher)
      await depot.runtime.pass(300_000)
    }
    expect(await depot.inState('unclear')).toHaveLength(1)
    foreign.phase = 'ended'
    foreign.end = 'completed'
    await depot.untilSubmitted(batcher)
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.created()).toBe(2)
    await packed.assertAnswered()
  })

  it('guesses nothing where the batch may be another shard’s of its own', async () => {
    depot.api.size = { requests: 3, bytes: 1_000_000 }
    const packed = await depot.pack([3, 3])
    depot.befall({ create: ['before', 'after'] })
    const batcher = depot.batcher()
    await depot.drive(batcher, async () => (await depot.inState('unclear')).length === 2)
    depot.api.endAll()
    await depot.drive(batcher, async () => {
      expect((await depot.shards()).filter(({ guessed }) => guessed)).toEqual([])
      depot.api.endAll()
      return packed.isOver()
    })
    expect(depot.created()).toBe(2)
    await packed.assertAnswered()
  })

  it('does not give the batch of one shard to another of the same size', async () => {
    depot.api.size = { requests: 3, bytes: 1_000_000 }
    const packed = await depot.pack([3, 3])
    depot.befall({ create: ['before', 'after'] })
    const batcher = depot.batcher()
    await depot.drive(batcher, async () => {
      depot.api.endAll()
      return packed.isOver()
    })
    expect(depot.created()).toBe(2)
    await packed.assertAnswered()
  })

  it('knows a batch of its own by the record of it', async () => {
    depot.api.size = { requests: 3, bytes: 1_000_000 }
    const packed = await depot.pack([3, 3])
    depot.befall({ create: [null, 'before'] })
    const batcher = await depot.untilSubmitted(depot.batcher(), 2)
    expect((await depot.inState('submitted')).map(({ guessed }) => guessed)).toEqual([false, false])
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    expect(depot.created()).toBe(2)
    await packed.assertAnswered()
  })
})
