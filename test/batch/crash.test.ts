import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BatcherDeps } from '../../src/batch/batch-work.ts'
import { createBatcher } from '../../src/batch/batcher.ts'
import type { BlobWriter } from '../../src/blob/blob.ts'
import { type Depot, openDepot, type Packed } from './depot.ts'
import type { ApiCallName, Mishap } from './scripted-api.ts'

/** The process is gone: nothing that it waits for ever comes. */
class Crash extends Error {}

/** When a process dies: at its so many-th step into the outside world, before or after that is done. */
interface Death {
  readonly step: number
  readonly after: boolean
}

let depot: Depot

beforeEach(async () => {
  depot = await openDepot()
})
afterEach(() => depot.close())

const never = new AbortController().signal

/** What a process does in the outside world goes through here; from its death on, nothing of it gets there. */
function mortal(death: Death) {
  const writers: BlobWriter[] = []
  let steps = 0
  const step = async <T>(act: () => Promise<T>): Promise<T> => {
    steps += 1
    if (steps > death.step) throw new Crash()
    if (steps < death.step) return act()
    if (death.after) await act()
    throw new Crash()
  }
  // Over an empty object: what is frozen could not be wrapped in place.
  const wrap = <T extends object>(target: T): T =>
    new Proxy({} as T, {
      get(_, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function' || name === 'readLine' || name === 'stream') return value
        if (name === 'results') return (...args: unknown[]) => stepsAround(step, value.apply(target, args))
        if (name === 'writer') {
          return async (...args: unknown[]) => {
            const writer: BlobWriter = await value.apply(target, args)
            writers.push(writer)
            return wrap(writer)
          }
        }
        return (...args: unknown[]) => step(async () => value.apply(target, args))
      },
    })
  const deps = (workerId: string): BatcherDeps => {
    const given = depot.deps(workerId)
    const { store, blob } = given
    return {
      ...given,
      store: { batches: wrap(store.batches), write: (work) => step(() => store.write(work)) },
      blob: wrap(blob),
      apis: { open: (kind) => wrap(given.apis.open(kind)) },
    }
  }
  /** Closes the files of the dead, as the system does. */
  const bury = () => Promise.all(writers.map((writer) => writer.abort()))
  return { deps, isDead: () => steps >= death.step, bury }
}

async function* stepsAround(step: (act: () => Promise<void>) => Promise<void>, lines: AsyncIterable<Buffer>) {
  await step(async () => undefined)
  yield* lines
  await step(async () => undefined)
}

let lives = 0

/** One process after the other works until the job is over; each dies as is given, the last one lives. Returns how many died. */
async function live(packed: Packed, deaths: readonly Death[]): Promise<number> {
  let died = 0
  for (const death of [...deaths, { step: Number.POSITIVE_INFINITY, after: false }]) {
    lives += 1
    const workerId = `worker-${lives}`
    const life = mortal(death)
    const batcher = createBatcher(life.deps(workerId))
    for (let turn = 0; !life.isDead(); turn++) {
      if (turn > 300) throw new Error(`nothing came of it: ${JSON.stringify(await depot.shards())}`)
      await batcher.begin(never).catch(unlessCrash)
      await batcher.rest()
      depot.api.endAll()
      if (await packed.isOver()) return died
      await depot.runtime.pass(15_000)
    }
    await life.bury()
    depot.gone.add(workerId)
    died += 1
  }
  return died
}

function unlessCrash(error: unknown): void {
  if (!(error instanceof Crash)) throw error
}

/** No shard has two batches, and every part has all its results once. */
async function assertOnce(packed: Packed, shardCount: number) {
  const own = depot.api.batches.filter(({ shardId }) => shardId !== 'foreign')
  expect(own.map(({ shardId }) => shardId).length).toBe(new Set(own.map(({ shardId }) => shardId)).size)
  expect(own).toHaveLength(shardCount)
  await packed.assertAnswered()
}

describe.each([
  { provider: 'that names batches and takes files', named: true, byFile: true },
  { provider: 'that names batches and takes bodies', named: true, byFile: false },
  { provider: 'without names', named: false, byFile: false },
])('a process that dies, at a provider $provider', ({ named, byFile }) => {
  beforeEach(() => {
    depot.api.named = named
    depot.api.byFile = byFile
    depot.api.size = { requests: 4, bytes: 1_000_000 }
  })

  it('has created each batch once, at whichever step it died', async () => {
    let step = 1
    for (let died = 1; died > 0; step++) {
      for (const after of [false, true]) {
        depot.api.batches.length = 0
        const packed = await depot.pack([4])
        died = await live(packed, [{ step, after }])
        await assertOnce(packed, 1)
      }
    }
    expect(step).toBeGreaterThan(15)
  }, 120_000)

  it('has created each batch once, however often it died, and whatever got lost on the way', async () => {
    const mishaps = fc.constantFrom<Mishap | null>(null, null, null, 'before', 'after', 'refused', 'cut')
    const script = fc.record({
      deaths: fc.array(fc.record({ step: fc.integer({ min: 1, max: 40 }), after: fc.boolean() }), { maxLength: 4 }),
      create: fc.array(mishaps, { maxLength: 4 }),
      upload: fc.array(mishaps, { maxLength: 2 }),
      list: fc.array(mishaps, { maxLength: 4 }),
      poll: fc.array(mishaps, { maxLength: 4 }),
      results: fc.array(mishaps, { maxLength: 2 }),
      foreign: fc.array(fc.integer({ min: 3, max: 5 }), { maxLength: 2 }),
    })
    await fc.assert(
      fc.asyncProperty(script, async ({ deaths, foreign, ...befalls }) => {
        depot.api.batches.length = 0
        const left = structuredClone(befalls) as Partial<Record<ApiCallName, (Mishap | null)[]>>
        depot.api.mishap = (call) => suited(call, left[call]?.shift() ?? null)
        const packed = await depot.pack([4, 4])
        for (const total of foreign) depot.api.addForeign(total, depot.runtime.now())
        await live(packed, deaths)
        await assertOnce(packed, 2)
      }),
      { numRuns: 30 },
    )
  }, 240_000)
})

/** A download can break, and other calls get lost or are refused. */
function suited(call: ApiCallName, mishap: Mishap | null): Mishap | null {
  if (mishap === null) return null
  if (call === 'results') return 'cut'
  return mishap === 'cut' ? null : mishap
}
