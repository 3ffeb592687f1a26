import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBatcher } from '../../src/batch/batcher.ts'
import { readResults } from '../../src/batch/results.ts'
import { type Depot, KIND, openDepot } from './depot.ts'
import { replyLine } from './scripted-api.ts'

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

const never = new AbortController().signal

describe('the results', () => {
  it('begin anew where the download breaks', async () => {
    const packed = await depot.pack([4, 4])
    const batcher = await depot.untilSubmitted()
    depot.befall({ results: ['cut', 'cut'] })
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()
  })

  it('are waited for where their file has no name yet, for an hour; then the rows are asked again', async () => {
    const packed = await depot.pack([2])
    const batcher = await depot.untilSubmitted()
    const batch = depot.api.batches[0]!
    batch.filesDue = true
    depot.api.endAll()
    await depot.drive(batcher, async () => (await depot.inState('ended')).length === 1)
    const endedMs = depot.runtime.now()
    await depot.drive(batcher, async () => depot.runtime.now() - endedMs > 3_000_000, 60_000)
    expect(await depot.inState('ended')).toMatchObject([{ note: expect.stringContaining('does not name the file') }])
    expect(depot.api.calls.filter(({ call }) => call === 'results')).toEqual([])
    expect(depot.troubles).toHaveLength(1)
    batch.filesDue = false
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()

    const other = await depot.pack([2])
    await depot.untilSubmitted(batcher)
    Object.assign(depot.api.batches[1]!, { filesDue: true, lines: [] })
    depot.api.endAll()
    await depot.drive(batcher, other.isOver, 300_000)
    expect((await other.parts()).map(({ state, failure }) => [state, failure?.cause])).toEqual([['void', 'unknown']])
  })

  it('cost one row where a line is bad, missing, doubled or strange, and keep every line', async () => {
    const packed = await depot.pack([3, 2])
    const batcher = await depot.untilSubmitted()
    const batch = depot.api.batches[0]!
    const [a0, a1, , b0, b1] = batch.requestIds as [string, string, string, string, string]
    batch.lines = [
      replyLine(b1),
      '{ this is no line',
      `${a1} none expired`,
      replyLine(a0, '"first"'),
      replyLine(a0, '"second"'),
      replyLine('stranger'),
      replyLine(b0),
      replyLine(a1, '"paid"'),
      replyLine(`${a0.slice(0, 32)}-77`),
    ]
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    const parts = await packed.parts()
    const reader = depot.api.open(KIND)
    const [first, second] = await Promise.all(parts.map((part) => readResults(depot.blob, part, reader.readLine)))
    expect([...first!].map(([row, { result }]) => [row, result.kind === 'reply' ? result.body : null])).toEqual([
      [0, '"first"'],
      [1, '"paid"'],
    ])
    expect([...second!.keys()]).toEqual([3, 4])
    const whole = (await depot.blob.read(parts[0]!.results!.key)).toString()
    expect(
      whole
        .split('\n')
        .filter((line) => line !== '')
        .toSorted(),
    ).toEqual([...batch.lines].toSorted())
    const [shard] = await depot.inState('collected')
    expect(shard?.note).toBe(
      '1 requests without a result, 2 results that came twice, 2 results that nobody asked for, 1 lines that make no sense',
    )
  })

  it('of an expired batch: what is there is kept, the rest is said to have expired', async () => {
    const packed = await depot.pack([2, 2])
    const batcher = await depot.untilSubmitted()
    const batch = depot.api.batches[0]!
    batch.lines = batch.requestIds.slice(0, 1).map((id) => replyLine(id))
    depot.api.endAll('expired')
    await depot.drive(batcher, packed.isOver)
    const parts = await packed.parts()
    expect(parts.map(({ state, failure }) => [state, failure?.cause])).toEqual([
      ['answered', undefined],
      ['void', 'batch_expired'],
    ])
  })

  it('of a batch that expired with nothing: every part hears so', async () => {
    const packed = await depot.pack([2, 2])
    const batcher = await depot.untilSubmitted()
    depot.api.batches[0]!.lines = []
    depot.api.endAll('expired')
    await depot.drive(batcher, packed.isOver)
    expect((await packed.parts()).map(({ failure }) => failure?.cause)).toEqual(['batch_expired', 'batch_expired'])
    expect((await depot.queue.depth(packed.job.jobNo)).ready).toBe(2)
  })

  it('does not spoil the results that another one has brought meanwhile', async () => {
    const packed = await depot.pack([2, 2])
    await depot.untilSubmitted()
    const batch = depot.api.batches[0]!
    batch.lines = batch.requestIds.map((id) => replyLine(id, '"of the slow one"'))
    depot.api.endAll()
    let go: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      go = resolve
    })
    let written = 0
    const writer: typeof depot.blob.writer = async (key) => {
      const real = await depot.blob.writer(key)
      const close = async () => {
        written += 1
        await gate
        await real.close()
      }
      return { ...real, close }
    }
    const slow = createBatcher({ ...depot.deps('slow'), blob: { ...depot.blob, writer } })
    await depot.drive(slow, async () => (await depot.inState('ended')).length === 1)
    await slow.begin(never)
    await expect.poll(() => written).toBe(1)
    batch.lines = null
    await depot.drive(depot.batcher('quick'), packed.isOver)
    go()
    await slow.rest()
    await packed.assertAnswered()
  })
})

describe('cancelling', () => {
  it('cancels at the provider, waits for the end, and keeps what was finished', async () => {
    const packed = await depot.pack([2, 2])
    const batcher = await depot.untilSubmitted()
    await depot.store.batches.wantCancel(packed.job.jobNo, depot.runtime.now())
    await depot.drive(batcher, async () => depot.api.batches[0]?.phase === 'cancelling')
    const batch = depot.api.batches[0]!
    batch.lines = batch.requestIds.slice(0, 2).map((id) => replyLine(id))
    depot.api.endAll('cancelled')
    await depot.drive(batcher, packed.isOver)
    expect((await packed.parts()).map(({ state, failure }) => [state, failure?.cause])).toEqual([
      ['answered', undefined],
      ['void', 'cancelled'],
    ])
    expect(depot.api.calls.filter(({ call }) => call === 'cancel')).toHaveLength(1)
  })

  it('does not send what was cancelled while nobody knew whether it was sent', async () => {
    const packed = await depot.pack([2])
    depot.befall({ create: ['before'] })
    const batcher = depot.batcher()
    await depot.turn(batcher)
    await depot.store.batches.wantCancel(packed.job.jobNo, depot.runtime.now())
    await depot.drive(batcher, packed.isOver)
    expect((await packed.parts())[0]?.failure?.cause).toBe('cancelled')
    expect(depot.created()).toBe(0)
  })
})
