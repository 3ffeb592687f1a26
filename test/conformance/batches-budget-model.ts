import fc from 'fast-check'
import { expect } from 'vitest'
import type { AttemptFact } from '../../src/domain/attempt.ts'
import { type Amount, covers, minus, NOTHING, plus, times } from '../../src/domain/budget.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import type { NewPart } from '../../src/store/role/batches.ts'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, expired, newPart, planned } from './batches-fixture.ts'
import { bothSums, deltaOf, factOf, intentOf, nextId, queuedJob, T } from './store-fixture.ts'

const BUDGET: Amount = { nano: 14_000, tokens: 1_600 }
/** What `intentOf` stands for. */
const WORST: Amount = { nano: 1_000, tokens: 110 }
const WORKERS = ['a', 'b'] as const
const CHUNKS = [0, 1, 2] as const
const ROWS_EACH = 40

/**
 * Workers pack rows, providers answer or do not, workers book what came in pieces, die in between, are fenced off and book it all the same, are
 * taken for dead, in any order. After each step no more is billed than the budget, and what is spent, doubtful or held is not less than what has
 * been billed and may still be billed; and not more than the budget.
 */
export async function batchesNeverOverspend(store: Store): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step(), { minLength: 20, maxLength: 60 }), async (steps) => {
      const world = await newWorld(store)
      for (const one of steps) {
        await play(world, one)
        const { spent, doubtful, reserved } = await store.budgets.outlook(world.jobNo)
        const committed = plus(spent, plus(doubtful, reserved))
        expect(covers(BUDGET, committed)).toBe(true)
        expect(covers(committed, exposed(world))).toBe(true)
      }
      const { counters, ledger } = await bothSums(store, world.jobNo)
      expect(counters).toStrictEqual(ledger)
    }),
    { numRuns: 12 },
  )
}

interface Step {
  readonly do: 'draw' | 'pack' | 'answer' | 'expire' | 'claim' | 'book' | 'close' | 'retire'
  readonly worker: number
  readonly pick: number
  /** The higher, the nearer to its worst case an answer comes. */
  readonly share: number
}

function step(): fc.Arbitrary<Step> {
  const often = (what: Step['do'], weight: number) => ({ arbitrary: fc.constant(what), weight })
  return fc.record({
    do: fc.oneof(
      often('draw', 5),
      often('pack', 6),
      often('answer', 5),
      often('expire', 1),
      often('claim', 5),
      often('book', 10),
      often('close', 3),
      often('retire', 2),
    ),
    worker: fc.nat(WORKERS.length - 1),
    pick: fc.nat(50),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
}

/** A part and what became of it. A row is billed when its part is answered. */
interface Sent {
  readonly part: NewPart
  state: 'packed' | 'answered' | 'void' | 'closed'
  facts: readonly AttemptFact[]
  readonly booked: Set<AttemptFact>
}

interface World {
  readonly store: Store
  readonly jobNo: number
  readonly sent: Sent[]
  /** All claims there ever were, those that have passed too. */
  readonly claims: { readonly worker: string; readonly claim: ChunkClaim }[]
  /** What workers have drawn and may still pack. */
  readonly grants: Map<string, Amount>
  rows: number
}

async function newWorld(store: Store): Promise<World> {
  const { jobNo } = await queuedJob(
    store,
    CHUNKS.map(() => ROWS_EACH),
  )
  return { store, jobNo, sent: [], claims: [], grants: new Map(), rows: 0 }
}

/**
 * What was billed and booked, the worst of all else that is out (what of it is billed nobody but the provider knows), and what workers may still
 * pack.
 */
function exposed({ sent, grants }: World): Amount {
  return [...sent.map(exposedOf), ...grants.values()].reduce(plus, NOTHING)
}

function exposedOf({ part, state, booked, facts }: Sent): Amount {
  const real = [...booked].map(costOf).reduce(plus, NOTHING)
  if (state === 'closed' || state === 'void') return plus(real, NOTHING)
  const open = state === 'packed' ? part.rows.length : facts.length - booked.size
  return plus(real, times(open, WORST))
}

function costOf({ usage, costNano }: AttemptFact): Amount {
  return { nano: costNano ?? 0, tokens: usage.inputTokens + usage.outputTokens }
}

async function play(world: World, { do: what, worker: number, pick, share }: Step): Promise<void> {
  const { store, jobNo, sent } = world
  const worker = WORKERS[number] as string
  const one = (state: Sent['state']) => {
    const all = sent.filter((part) => part.state === state)
    return all[pick % Math.max(1, all.length)]
  }
  if (what === 'retire') {
    await store.budgets.retire(jobNo, worker)
    world.grants.delete(worker)
  } else if (what === 'draw') await draw(world, worker, WORST, times(2 + (pick % 3), WORST))
  else if (what === 'claim') {
    const chunkNo = CHUNKS[pick % CHUNKS.length] as number
    const claimed = await store.chunks.claim({ jobNo, chunkNo }, worker, false, T)
    if (claimed !== null) world.claims.push({ worker, claim: { jobNo, chunkNo, epoch: claimed.chunk.epoch } })
  } else if (what === 'pack') await pack(world, worker, 1 + (pick % 3))
  else if (what === 'answer' || what === 'expire') await end(world, one('packed'), what === 'answer', share)
  else if (what === 'book') await book(world, one('answered') ?? one('closed'), pick)
  else
    await close(
      world,
      sent.filter(
        ({ state, facts, booked }) => state === 'void' || (state === 'answered' && booked.size === facts.length),
      )[0],
    )
}

async function draw({ store, jobNo, grants }: World, worker: string, least: Amount, wish: Amount): Promise<boolean> {
  const drawn = await store.budgets.draw({ jobNo, workerId: worker, specLimits: BUDGET, least, wish, rest: NOTHING })
  if (drawn.refusedBy !== null) return false
  expect(drawn.isFirst).toBe(!grants.has(worker))
  grants.set(worker, plus(grants.get(worker) ?? NOTHING, drawn.granted))
  return true
}

/** Packs only what its grant has room for, and nothing that it holds already. */
async function pack(world: World, worker: string, rows: number): Promise<void> {
  const { store, jobNo } = world
  const claim = world.claims.findLast((held) => held.worker === worker)?.claim
  if (claim === undefined) return
  const first = claim.chunkNo * ROWS_EACH + (world.rows % (ROWS_EACH - 3))
  const part = newPart(
    claim,
    Array.from({ length: rows }, (_, n) => first + n),
  )
  // It draws what it packs, as far as that is to be had.
  if (!(await draw(world, worker, part.worst, part.worst))) return
  const packed = await store
    .write(async (tx) => {
      if (!(await store.budgets.hold(tx, jobNo, worker, [{ partId: part.id, worst: part.worst }]))) throw new Stale()
      if (!(await store.chunks.release(tx, claim, 'parked'))) throw new Stale()
      await store.batches.pack(tx, [part])
      return true
    })
    .catch(unlessStale)
  if (packed !== true) return
  world.grants.set(worker, minus(world.grants.get(worker) ?? NOTHING, part.worst))
  world.rows += rows
  world.sent.push({ part, state: 'packed', facts: [], booked: new Set() })
}

class Stale extends Error {}

function unlessStale(error: unknown): false {
  if (error instanceof Stale) return false
  throw error
}

async function end(world: World, sent: Sent | undefined, isAnswered: boolean, share: number): Promise<void> {
  if (sent === undefined) return
  const { part } = sent
  await collect(world.store, await planned(world.store, [part]), isAnswered ? answered([part]) : expired([part]))
  sent.state = isAnswered ? 'answered' : 'void'
  if (!isAnswered) return
  const claim = { jobNo: world.jobNo, chunkNo: part.chunkNo, epoch: 0 }
  sent.facts = part.rows.map((row) => {
    // Dear ones: what is taken twice is then missed soon.
    const cost = 0.7 + 0.3 * share
    const usage = { ...NO_USAGE, outputTokens: 1 + Math.floor((WORST.tokens - 1) * cost) }
    return factOf(intentOf(claim, row, { id: nextId(), lane: 'batch' }), {
      usage,
      costNano: Math.floor(WORST.nano * cost),
    })
  })
}

/** Books some results under the chunk's latest claim, or under one that has passed; some of them may have been booked before. */
async function book({ store, claims }: World, sent: Sent | undefined, pick: number): Promise<void> {
  if (sent === undefined) return
  const { chunkNo, jobNo, id: partId } = sent.part
  const own = claims.filter(({ claim }) => claim.chunkNo === chunkNo)
  const claim = own.at(pick % 4 === 0 ? 0 : -1)?.claim
  if (claim === undefined) return
  const some = sent.facts.filter((_, n) => (pick >> n) % 2 === 0)
  const facts = some.map((fact) => ({ ...fact, intent: { ...fact.intent, epoch: claim.epoch } }))
  await store.write(async (tx) => {
    await store.budgets.bookParts(tx, [{ jobNo, chunkNo, partId, facts }])
    const deltas = [{ claim, delta: deltaOf(facts, []) }]
    await store.rows.record(tx, { intents: [], facts, outcomes: [], deltas })
  })
  for (const fact of some) sent.booked.add(fact)
}

async function close({ store }: World, sent: Sent | undefined): Promise<void> {
  if (sent === undefined) return
  await store.write((tx) => store.batches.close(tx, [sent.part.id]))
  sent.state = 'closed'
}
