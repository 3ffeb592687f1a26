import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createBatcher } from '../../src/batch/batcher.ts'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { type Depot, KIND, openDepot } from './depot.ts'

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

const never = new AbortController().signal

describe('the way of a batch', () => {
  it('takes the parts of a job there and back, and asks for its chunks once', async () => {
    const packed = await depot.pack([3, 2, 4])
    const batcher = await depot.untilSubmitted()
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length)).toEqual([9])
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()
    expect(await depot.inState('collected')).toHaveLength(1)
    expect(depot.api.files).toEqual(new Set())
    expect(depot.troubles).toEqual([])
  })

  it('carries requests in the create where there are no files', async () => {
    depot.api.byFile = false
    const packed = await depot.pack([3])
    const batcher = await depot.untilSubmitted()
    depot.api.endAll()
    await depot.drive(batcher, packed.isOver)
    await packed.assertAnswered()
  })

  it('splits by the provider, and by what a job says', async () => {
    depot.api.size = { requests: 5, bytes: 1_000_000 }
    await depot.pack([3, 2, 2])
    depot.policy = { ...depot.policy, requests: 4 }
    await depot.untilSubmitted(depot.batcher(), 2)
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length)).toEqual([3, 4])
  })

  it('waits for more parts where more may come, but not for ever', async () => {
    await depot.pack([3], { later: [2] })
    const batcher = depot.batcher()
    await depot.runtime.pass(59_000)
    await depot.turn(batcher)
    expect(await depot.shards()).toEqual([])
    await depot.runtime.pass(1_000)
    await depot.untilSubmitted(batcher)
    expect(depot.created()).toBe(1)
  })

  it('sends parts of several jobs together, and asks for the chunks of each as its own', async () => {
    const packed = [await depot.pack([2, 1]), await depot.pack([3])]
    const batcher = await depot.untilSubmitted()
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length)).toEqual([6])
    // One of them is cancelled: the other's requests go on.
    await depot.store.batches.wantCancel(packed[0]!.job.jobNo, depot.runtime.now())
    depot.api.endAll()
    await depot.drive(batcher, packed[1]!.isOver)
    for (const each of packed) await each.assertAnswered()
    expect(depot.api.calls.filter(({ call }) => call === 'cancel')).toEqual([])
  })

  it('does not mix what must not be mixed', async () => {
    await depot.pack([2])
    await depot.pack([3], { kind: { ...KIND, key: 'kind-2', headers: { 'anthropic-beta': 'a' } } })
    await depot.untilSubmitted(depot.batcher(), 2)
    expect(depot.api.batches.map(({ requestIds }) => requestIds.length).toSorted()).toEqual([2, 3])
  })

  it('asks about a batch at growing intervals, and a look that fails changes nothing else', async () => {
    await depot.pack([1])
    const batcher = await depot.untilSubmitted()
    depot.befall({ poll: ['before', 'refused', 'after'] })
    for (let turn = 0; turn < 10; turn++) {
      await depot.turn(batcher)
      await depot.runtime.pass(60_000)
    }
    const [shard] = await depot.inState('submitted')
    expect(depot.created()).toBe(1)
    expect(shard?.heardAtMs).toBeGreaterThan(shard?.submittedAtMs ?? 0)
    expect(shard?.note).toBeNull()
    expect(depot.troubles.map(({ message }) => message)).toEqual(['no answer', 'busy (HTTP 529)', 'no answer'])
  })

  it('says since when a provider is silent', async () => {
    await depot.pack([1])
    const batcher = await depot.untilSubmitted()
    depot.api.mishap = () => 'before'
    await depot.runtime.pass(600_000)
    await depot.turn(batcher)
    const [shard] = await depot.inState('submitted')
    expect(depot.runtime.now() - (shard?.heardAtMs ?? 0)).toBeGreaterThanOrEqual(600_000)
    expect(shard?.note).toBe('no answer')
  })
})

describe('two at once', () => {
  it('leaves a shard alone that another one may still be submitting', async () => {
    await depot.pack([2])
    const first = depot.batcher('first')
    depot.befall({ create: ['after'] })
    await first.begin(never)
    await first.rest()
    const second = depot.batcher('second')
    await depot.runtime.pass(10_000)
    await second.begin(never)
    await second.rest()
    expect(depot.api.calls.filter(({ call }) => call === 'list')).toEqual([])
    depot.gone.add('first')
    await depot.untilSubmitted(second)
    expect(depot.created()).toBe(1)
  })

  it('creates one batch for each shard, though both do all there is to do at the same time', async () => {
    depot.api.size = { requests: 4, bytes: 1_000_000 }
    const packed = await depot.pack([4, 4, 4, 4])
    const batchers = [depot.batcher('first'), depot.batcher('second')]
    for (let turn = 0; !(await packed.isOver()); turn++) {
      expect(turn).toBeLessThan(100)
      await Promise.all(batchers.map((batcher) => batcher.begin(never)))
      await Promise.all(batchers.map((batcher) => batcher.rest()))
      depot.api.endAll()
      await depot.runtime.pass(20_000)
    }
    expect(depot.created()).toBe(4)
    await packed.assertAnswered()
  })

  it('does not create what a stalled submitter finds taken over', async () => {
    await depot.pack([2])
    let stalled: () => void = () => undefined
    const stall = new Promise<void>((resolve) => {
      stalled = resolve
    })
    const deps = depot.deps('slow')
    const slow = createBatcher({
      ...deps,
      apis: {
        open: (kind) => {
          const api = depot.api.open(kind)
          return Object.defineProperty(Object.create(api), 'upload', {
            value: async (...upload: Parameters<typeof api.upload>) => {
              const answer = await api.upload(...upload)
              await stall
              return answer
            },
          })
        },
      },
    })
    await slow.begin(never)
    await depot.runtime.pass(400_000)
    await depot.untilSubmitted(depot.batcher('quick'))
    stalled()
    await slow.rest()
    expect(depot.created()).toBe(1)
  })
})

describe('serving', () => {
  it('goes on with what is under way while the store is away', async () => {
    await depot.pack([2])
    const { batches } = depot.store
    let asked = 0
    const waiting: typeof batches.waiting = async () => {
      asked += 1
      if (asked % 2 === 1) throw new StorageFailure('busy', 'away')
      return batches.waiting()
    }
    const deps = depot.deps('batcher-1')
    const batcher = createBatcher({ ...deps, store: { ...depot.store, batches: { ...batches, waiting } } })
    let holds = true
    const serving = batcher.serve(() => holds)
    await depot.passUntil(async () => (await depot.inState('submitted')).length === 1)
    holds = false
    let over = false
    const ended = serving.then(() => {
      over = true
    })
    await depot.passUntil(async () => over)
    await ended
    expect(depot.troubles).toEqual([])
  })

  it('works as long as it holds, and lets go of everything then', async () => {
    const packed = await depot.pack([2])
    let holds = true
    const serving = depot.batcher().serve(() => holds)
    await depot.passUntil(async () => depot.created() === 1)
    depot.api.endAll()
    await depot.passUntil(packed.isOver)
    holds = false
    let over = false
    const ended = serving.then(() => {
      over = true
    })
    await depot.passUntil(async () => over)
    await ended
    await packed.assertAnswered()
  })
})
