import fc from 'fast-check'
import { expect } from 'vitest'
import type { AttemptIntent } from '../../src/domain/attempt.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { isTerminal } from '../../src/domain/job.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { sha256 } from '../../src/runtime.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { bothSums, factOf, failedOf, intentOf, outcomeOf, queuedJob, record, T } from './store-fixture.ts'

/** Plays claims, deaths, late answers, cancels and retries in any order; after each step the counters are the ledger's sums. */
export async function addsUp(store: Store): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step(), { minLength: 5, maxLength: 40 }), async (steps) => {
      const world = await newWorld(store)
      for (const one of steps) {
        await play(world, one)
        const { counters, ledger } = await bothSums(store, world.jobNo)
        expect(counters).toStrictEqual(ledger)
      }
      expect(await countedRows(world)).toStrictEqual(await storedRows(world))
      expect(await rolledUp(world)).toBe((await store.jobs.progress(world.jobNo)).counters.costNano)
    }),
    { numRuns: 40 },
  )
}

/** What may happen to a job of two chunks of three rows; numbers pick among what there is at that moment. */
type Step =
  | { readonly do: 'claim'; readonly chunk: number }
  | {
      readonly do: 'send'
      readonly pick: number
      readonly row: number
      readonly priced: boolean
      readonly noted: boolean
    }
  | { readonly do: 'answer'; readonly pick: number; readonly priced: boolean; readonly ends: 'no' | 'ok' | 'failed' }
  | { readonly do: 'release' | 'complete' | 'fail'; readonly pick: number }
  | { readonly do: 'cancel'; readonly chunk: number }
  | { readonly do: 'end' }
  | { readonly do: 'retry' }
  | { readonly do: 'take back' }

function step(): fc.Arbitrary<Step> {
  const pick = fc.nat(30)
  const chunk = fc.nat(1)
  const priced = fc.boolean()
  return fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('claim' as const), chunk }) },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('send' as const), pick, row: fc.nat(2), priced, noted: fc.boolean() }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        pick,
        priced,
        ends: fc.constantFrom('no' as const, 'ok' as const, 'failed' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('release' as const, 'complete' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('fail' as const), pick }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), chunk }) },
    { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'end' }, { do: 'retry' }, { do: 'take back' }) },
  )
}

interface World {
  readonly store: Store
  readonly jobNo: number
  /** All claims that were ever made: stale holders go on as if nothing had happened. */
  readonly claims: ChunkClaim[]
  readonly sent: { readonly claim: ChunkClaim; readonly intent: AttemptIntent }[]
}

async function newWorld(store: Store): Promise<World> {
  const { jobNo } = await queuedJob(store, [3, 3])
  return { store, jobNo, claims: [], sent: [] }
}

async function play(world: World, one: Step): Promise<void> {
  const { store, jobNo, claims, sent } = world
  if (one.do === 'claim') {
    const claimed = await store.chunks.claim({ jobNo, chunkNo: one.chunk }, 'w', false, T)
    if (claimed !== null) claims.push({ jobNo, chunkNo: one.chunk, epoch: claimed.chunk.epoch })
    return
  }
  if (one.do === 'cancel') return void (await cancel(world, one.chunk))
  if (one.do === 'end') return await end(world)
  if (one.do === 'retry') return await retry(world)
  if (one.do === 'take back') return await store.write((tx) => store.chunks.takeBack(tx, jobNo))
  if (one.do === 'answer') return await answer(world, one)
  const held = claims[one.pick % Math.max(1, claims.length)]
  if (held === undefined) return
  if (one.do === 'send') {
    const { round } = (await store.jobs.getByNo(jobNo))!
    const worst = one.priced ? {} : { worstCostNano: null }
    const intent = intentOf(held, held.chunkNo * 3 + one.row, { round, ...worst })
    // Careless workers send without noting it, or although they were told that their claim has passed: it must be booked all the same.
    if (one.noted) await record(store, held, { intents: [intent] })
    sent.push({ claim: held, intent })
  } else if (one.do === 'release') await store.write((tx) => store.chunks.release(tx, held, 'ready'))
  else if (one.do === 'fail')
    await store.write(async (tx) => store.chunks.fail(tx, held, 'no', await pending(world, held.chunkNo), T))
  else if ((await pending(world, held.chunkNo)).length === 0)
    await store.write((tx) => store.chunks.complete(tx, held, T))
}

async function answer({ store, jobNo, sent }: World, one: Step & { do: 'answer' }): Promise<void> {
  const attempt = sent[one.pick % Math.max(1, sent.length)]
  if (attempt === undefined) return
  const { claim: held, intent } = attempt
  const ended = await store.rows.get(jobNo, intent.rowIndex)
  const made = one.ends === 'ok' ? outcomeOf : failedOf
  const outcomes = one.ends === 'no' || ended !== null ? [] : [made(intent.rowIndex, { attempts: (one.pick % 3) + 1 })]
  const usage = { ...NO_USAGE, inputTokens: one.pick, cachedInputTokens: one.pick % 7, outputTokens: 3 }
  const facts = [factOf(intent, { usage, costNano: one.priced ? one.pick * 11 : null })]
  await record(store, held, { facts, outcomes })
}

async function pending({ store, jobNo }: World, chunkNo: number) {
  const ended = await store.rows.ended(jobNo, chunkNo * 3, 3)
  return [0, 1, 2]
    .map((row) => chunkNo * 3 + row)
    .filter((row) => !ended.has(row))
    .map((index) => ({ index, id: String(index) }))
}

async function cancel(world: World, chunkNo: number): Promise<boolean> {
  const open = await pending(world, chunkNo)
  const { store, jobNo } = world
  return await store.write((tx) => store.chunks.cancelOpen(tx, { jobNo, chunkNo }, open, T))
}

/** The job is over, and its ledger is summed for good; late answers go on coming. */
async function end({ store, jobNo }: World): Promise<void> {
  await store.write((tx) => store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T }))
}

async function retry({ store, jobNo }: World): Promise<void> {
  const { round, state } = (await store.jobs.getByNo(jobNo))!
  await store.write(async (tx) => {
    if (state === 'finalizing') await store.jobs.change(tx, jobNo, ['finalizing'], { to: 'completed', atMs: T })
    else if (
      !isTerminal(state) &&
      !(await store.jobs.change(tx, jobNo, ['queued', 'running'], { to: 'failed', atMs: T }))
    )
      return
    await store.rows.reopen(tx, jobNo, round + 1, {})
    await store.jobs.openRound(tx, jobNo, { round: round + 1, specHash: sha256('spec'), selection: '{}', atMs: T })
  })
}

/** What the job has cost, as the roll-up over all jobs has it. */
async function rolledUp({ store, jobNo }: World): Promise<number> {
  const { id } = (await store.jobs.getByNo(jobNo))!
  let sum = 0
  for await (const { jobId, part } of store.costs.ofTenant(DEFAULT_TENANT, null)) if (jobId === id) sum += part.costNano
  return sum
}

async function countedRows({ store, jobNo }: World) {
  const { counters } = await store.jobs.progress(jobNo)
  const { succeeded, failed, cancelled, retried } = counters
  return { succeeded, failed, cancelled, retried }
}

async function storedRows({ store, jobNo }: World) {
  const rows = await store.rows.list(jobNo, 0, 100)
  const count = (state: string) => rows.filter((row) => row.state === state).length
  const retried = rows.filter((row) => row.attempts > 1).length
  return { succeeded: count('succeeded'), failed: count('failed'), cancelled: count('cancelled'), retried }
}
