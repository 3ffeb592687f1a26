import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { BATCH_TIMES } from '../../src/batch/batch-work.ts'
import type { Batcher } from '../../src/batch/batcher.ts'
import { type ShardVerdict, settleShard } from '../../src/batch/settle-shard.ts'
import type { BatchShard } from '../../src/domain/batch.ts'
import { type Depot, openDepot, type Packed } from './depot.ts'
import type { ProviderBatch } from './scripted-api.ts'

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

/** What somebody at another machine says, who has the same store and key. */
function say(shard: BatchShard, verdict: ShardVerdict): Promise<BatchShard> {
  const { store, runtime, events, api: apis } = depot
  return settleShard({ store, runtime, events, apis, times: BATCH_TIMES }, shard, verdict)
}

const is = (batchId: string): ShardVerdict => ({ is: 'batch', batchId })
const NOT_SENT: ShardVerdict = { is: 'not-sent' }

const onlyIn = async (state: BatchShard['state']) => (await depot.inState(state))[0] as BatchShard

/** Brings whatever the provider has to its end, again and again, until the job is over. */
async function finish(batcher: Batcher, packed: Packed): Promise<void> {
  await depot.drive(batcher, async () => {
    depot.api.endAll()
    return packed.isOver()
  })
  await packed.assertAnswered()
}

describe('where batches carry no names, and several could be a shard', () => {
  let packed: Packed
  let foreign: ProviderBatch
  let batcher: Batcher

  /** The shard's own create is lost on its way there, or on its way back: then its batch is `batch_2`. */
  async function unclear(lost: 'before' | 'after'): Promise<BatchShard> {
    Object.assign(depot.api, { named: false, byFile: false })
    packed = await depot.pack([3])
    depot.befall({ create: [lost] })
    foreign = depot.api.addForeign(3, depot.runtime.now())
    if (lost === 'before') depot.api.addForeign(3, depot.runtime.now())
    batcher = depot.batcher()
    await depot.drive(batcher, async () => (await depot.inState('unclear')).length === 1)
    return onlyIn('unclear')
  }

  it('a person who names its own has it collected', async () => {
    const said = await say(await unclear('after'), is('batch_2'))
    expect(said).toMatchObject({ state: 'submitted', batchId: 'batch_2', guessed: true })
    await finish(batcher, packed)
    expect(depot.created()).toBe(2)
  })

  it('a person who names a foreign one is not believed when its results show it, and nothing is booked from it', async () => {
    const said = await say(await unclear('after'), is(foreign.id))
    expect(said).toMatchObject({ batchId: foreign.id, guessed: true })
    await finish(batcher, packed)
    expect(depot.created()).toBe(2)
  })

  it('a person may say that none of them is it: it is sent again, and those are not looked at any more', async () => {
    const said = await say(await unclear('before'), NOT_SENT)
    expect(said).toMatchObject({ state: 'planned', batchId: null, notBatchIds: ['batch_2', 'batch_1'] })
    await depot.untilSubmitted(batcher)
    expect(await onlyIn('submitted')).toMatchObject({ batchId: 'batch_3', guessed: false })
    await finish(batcher, packed)
    expect(depot.created()).toBe(3)
  })

  it('is not sent again where the results of one show that it is it', async () => {
    const shard = await unclear('after')
    depot.api.endAll()
    await expect(say(shard, NOT_SENT)).rejects.toMatchObject({ code: 'batch_refuted' })
    expect(await onlyIn('unclear')).toMatchObject({ version: shard.version })
  })

  it('refuses a batch that is not there, holds another number of requests, is older, or shows others’ results', async () => {
    const shard = await unclear('after')
    const larger = depot.api.addForeign(4, depot.runtime.now())
    const older = depot.api.addForeign(3, shard.plannedAtMs - BATCH_TIMES.skewMs - 1)
    foreign.phase = 'ended'
    foreign.end = 'completed'
    for (const id of ['batch_99', larger.id, older.id, foreign.id]) {
      await expect(say(shard, is(id)), id).rejects.toMatchObject({ code: 'batch_refuted' })
    }
    expect(await onlyIn('unclear')).toMatchObject({ version: shard.version })
  })

  it('refuses a batch that another shard has', async () => {
    const shard = await unclear('after')
    await depot.pack([3])
    await depot.untilSubmitted(batcher)
    const { batchId } = await onlyIn('submitted')
    await expect(say(shard, is(batchId as string))).rejects.toMatchObject({ code: 'batch_refuted' })
  })

  it('lets a guess be put right', async () => {
    const guessed = await say(await unclear('after'), is(foreign.id))
    const right = await say(guessed, is('batch_2'))
    expect(right).toMatchObject({ batchId: 'batch_2', guessed: true })
    const none = await say(right, NOT_SENT)
    expect(none).toMatchObject({ state: 'planned', batchId: null })
    expect(none.notBatchIds).toContain('batch_2')
  })

  it('does not give up a guess that has proved right', async () => {
    const guessed = await say(await unclear('after'), is('batch_2'))
    depot.api.endAll()
    await expect(say(guessed, NOT_SENT)).rejects.toMatchObject({ code: 'batch_refuted' })
  })
})

describe('where batches carry names', () => {
  /** Nobody can list. */
  async function open(): Promise<{ packed: Packed; batcher: Batcher; shard: BatchShard }> {
    const packed = await depot.pack([3])
    depot.befall({ create: ['after'], list: Array.from({ length: 3 }, () => 'before' as const) })
    const batcher = depot.batcher()
    await depot.turn(batcher)
    return { packed, batcher, shard: await onlyIn('submitting') }
  }

  it('a batch that carries the shard is it for sure, at once', async () => {
    const { packed, batcher, shard } = await open()
    depot.befall({})
    expect(await say(shard, is('batch_1'))).toMatchObject({
      batchId: 'batch_1',
      guessed: false,
      note: 'found by a person',
    })
    await finish(batcher, packed)
    expect(depot.created()).toBe(1)
  })

  it('a batch that carries another shard is refused', async () => {
    const { shard } = await open()
    depot.befall({})
    const other = { ...depot.api.batches[0]!, id: 'batch_other', shardId: 'another' }
    depot.api.batches.push(other)
    await expect(say(shard, is(other.id))).rejects.toMatchObject({ code: 'batch_refuted' })
  })

  it('nothing is sent again while a create may be on its way, nor while the provider cannot be asked, nor where it has the shard', async () => {
    const { shard } = await open()
    await expect(say(shard, NOT_SENT)).rejects.toMatchObject({ code: 'batch_state', hint: 'Say it again in 140 s.' })
    await depot.runtime.pass(140_000)
    await expect(say(shard, NOT_SENT)).rejects.toMatchObject({ code: 'provider_unanswered' })
    depot.befall({})
    await expect(say(shard, NOT_SENT)).rejects.toMatchObject({ code: 'batch_refuted' })
    expect(depot.created()).toBe(1)
  })

  it('has nothing to say where all is known, or everything has changed meanwhile', async () => {
    const { shard } = await open()
    depot.befall({})
    await depot.runtime.pass(140_000)
    await depot.untilSubmitted()
    const known = await onlyIn('submitted')
    await expect(say(known, is('batch_1'))).rejects.toMatchObject({ code: 'batch_state' })
    await expect(say(shard, is('batch_1'))).rejects.toMatchObject({ code: expect.stringMatching(/^batch_/) })
    expect(await onlyIn('submitted')).toEqual(known)
  })

  it('does not mind that somebody looked at it in between', async () => {
    const { shard } = await open()
    depot.befall({})
    await depot.store.batches.change(shard, { nextLookMs: shard.nextLookMs + 1 })
    expect(await say(shard, is('batch_1'))).toMatchObject({ state: 'submitted', batchId: 'batch_1' })
  })
})
