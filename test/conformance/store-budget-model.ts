import fc from 'fast-check'
import { expect } from 'vitest'
import type { AttemptFact, AttemptIntent } from '../../src/domain/attempt.ts'
import { type Amount, type Charge, chargeOf, minus, most, NOTHING, plus } from '../../src/domain/budget.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { createPurse, type Purse } from '../../src/limit/purse.ts'
import type { Store } from '../../src/store/store.ts'
import { deltaOf, factOf, intentOf, queuedJob, T } from './store-fixture.ts'

const BUDGET: Amount = { nano: 12_000, tokens: 1_400 }
/** What `intentOf` stands for. */
const WORST: Amount = { nano: 1_000, tokens: 110 }
const WORKERS = ['a', 'b', 'c'] as const
const CHUNKS = [0, 1, 2] as const

/**
 * Workers draw, send, book, die, are taken for dead and go on, and take each other's chunks up, in any order; answers cost anything up to their worst
 * case, and some never come. After each step the provider has billed no more than the budget, and what is spent, doubtful or granted is not
 * less than what it has billed and may still bill.
 */
export async function neverOverspends(store: Store): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step(), { minLength: 20, maxLength: 60 }), async (steps) => {
      const world = await newWorld(store)
      for (const one of steps) {
        await play(world, one)
        expect(world.billed.nano).toBeLessThanOrEqual(BUDGET.nano)
        expect(world.billed.tokens).toBeLessThanOrEqual(BUDGET.tokens)
        const { spent, doubtful, reserved } = await store.budgets.outlook(world.jobNo)
        const committed = plus(spent, plus(doubtful, reserved))
        const open = [...world.open].reduce((sum) => plus(sum, WORST), NOTHING)
        const exposed = plus(plus(world.settled, open), sendable(world))
        expect(committed.nano).toBeGreaterThanOrEqual(exposed.nano)
        expect(committed.tokens).toBeGreaterThanOrEqual(exposed.tokens)
      }
    }),
    { numRuns: 15 },
  )
}

/** What workers may send without asking anybody. Whose grant was ended notices when it writes its next intent down. */
function sendable({ workers, standing }: World): Amount {
  const free = workers.filter((worker) => standing.has(worker.id)).map((worker) => most(NOTHING, worker.purse.free))
  return free.reduce(plus, NOTHING)
}

interface Step {
  readonly do: 'draw' | 'send' | 'answer' | 'die' | 'retire' | 'claim' | 'give back'
  readonly worker: number
  readonly pick: number
  /** Share of the worst case that an answer costs; above 1: it never comes, and was billed in full. */
  readonly share: number
  readonly noted: boolean
}

function step(): fc.Arbitrary<Step> {
  const often = (what: Step['do'], weight: number) => ({ arbitrary: fc.constant(what), weight })
  return fc.record({
    do: fc.oneof(
      often('draw', 4),
      often('send', 12),
      often('answer', 8),
      often('claim', 4),
      often('give back', 1),
      often('die', 1),
      often('retire', 2),
    ),
    worker: fc.nat(WORKERS.length - 1),
    pick: fc.nat(50),
    share: fc.double({ min: 0, max: 1.15, noNaN: true }),
    noted: fc.boolean(),
  })
}

interface Request {
  readonly intent: AttemptIntent
  readonly fact: AttemptFact
  readonly billed: Amount
}

/** A worker as far as budgets know it: its purse, and what it has sent. `dead`: it does nothing any more, or goes on later as if nothing had been. */
interface Worker {
  readonly id: string
  purse: Purse
  granted: boolean
  dead: boolean
  claims: ChunkClaim[]
  requests: Request[]
}

interface World {
  readonly store: Store
  readonly jobNo: number
  readonly workers: readonly Worker[]
  /** What the provider has billed. */
  billed: Amount
  /** Of it, for requests that will not be booked any more, or have been. */
  settled: Amount
  /** Requests whose booking may follow, or never will. */
  readonly open: Set<Request>
  /** Workers of whom the store has a grant. */
  readonly standing: Set<string>
  sent: number
}

async function newWorld(store: Store): Promise<World> {
  const { jobNo } = await queuedJob(store, [50, 50, 50])
  const workers = WORKERS.map((id): Worker => {
    return { id, purse: createPurse(), granted: false, dead: false, claims: [], requests: [] }
  })
  return { store, jobNo, workers, billed: NOTHING, settled: NOTHING, open: new Set(), standing: new Set(), sent: 0 }
}

async function play(world: World, { do: what, worker: number, pick, share, noted }: Step): Promise<void> {
  const { store, jobNo } = world
  const worker = world.workers[number] as Worker
  if (what === 'die') worker.dead = !worker.dead
  else if (what === 'retire') {
    // Whoever is alive may be taken for dead all the same.
    await store.budgets.retire(jobNo, worker.id)
    world.standing.delete(worker.id)
  } else if (worker.dead) return
  else if (what === 'draw') await draw(world, worker)
  else if (what === 'claim') {
    const chunkNo = CHUNKS[pick % CHUNKS.length] as number
    const claimed = await store.chunks.claim({ jobNo, chunkNo }, worker.id, false, T)
    if (claimed !== null) worker.claims.push({ jobNo, chunkNo, epoch: claimed.chunk.epoch })
  } else if (what === 'send') await send(world, worker, pick, share)
  else if (what === 'answer') await answer(world, worker, pick, noted)
  else if (worker.granted) {
    const rest = most(NOTHING, worker.purse.free)
    worker.purse.giveUp(rest)
    await store.budgets.giveBack(jobNo, worker.id, rest)
  }
}

async function draw({ store, jobNo, standing }: World, worker: Worker): Promise<void> {
  const { id, purse } = worker
  const least = most(NOTHING, minus(WORST, purse.free))
  const rest = purse.inFlight === 0 ? most(NOTHING, purse.free) : NOTHING
  purse.giveUp(rest)
  const wish = plus(least, { nano: 3_000, tokens: 330 })
  const drawn = await store.budgets.draw({ jobNo, workerId: id, specLimits: BUDGET, least, wish, rest })
  if (worker.granted && drawn.isFirst) purse.void()
  worker.granted = !drawn.isFirst || drawn.refusedBy === null
  if (drawn.refusedBy === null) purse.grant(plus(drawn.isFirst ? NOTHING : rest, drawn.granted))
  if (drawn.refusedBy === null) standing.add(id)
}

async function send(world: World, worker: Worker, pick: number, share: number): Promise<void> {
  const claim = worker.claims[pick % Math.max(1, worker.claims.length)]
  if (claim === undefined || !worker.purse.reserve(WORST)) return
  const intent = intentOf(claim, claim.chunkNo * 50 + (world.sent % 50), { number: world.sent + 1 })
  world.sent += 1
  const go = await write(world, worker, claim, [intent], [], [])
  if (!go) return worker.purse.release(WORST)
  const isAnswered = share <= 1
  const cost = {
    nano: Math.floor(WORST.nano * Math.min(1, share)),
    tokens: Math.floor(WORST.tokens * Math.min(1, share)),
  }
  const usage = { ...NO_USAGE, outputTokens: isAnswered ? cost.tokens : 0 }
  const fact = isAnswered
    ? factOf(intent, { usage, costNano: cost.nano })
    : factOf(intent, { usage, costNano: 0, cause: 'timeout', status: null })
  const request = { intent, fact, billed: cost }
  worker.requests.push(request)
  world.open.add(request)
  world.billed = plus(world.billed, cost)
}

async function answer(world: World, worker: Worker, pick: number, noted: boolean): Promise<void> {
  const [request] = worker.requests.splice(pick % Math.max(1, worker.requests.length), 1)
  if (request === undefined) return
  // Hung up on: it stays open in the ledger, and its worst case reserved.
  if (!noted && pick % 5 === 0) return worker.purse.abandon()
  const { intent, fact } = request
  const claim = { jobNo: intent.jobNo, chunkNo: intent.chunkNo, epoch: intent.epoch }
  const charge = chargeOf(fact)
  worker.purse.settle(WORST, charge)
  await write(world, worker, claim, [], [fact], [charge])
  world.open.delete(request)
  world.settled = plus(world.settled, request.billed)
}

/** What the recorder does: grants first, then the group. `false`: what was to be sent must not be. */
async function write(
  { store, jobNo }: World,
  worker: Worker,
  claim: ChunkClaim,
  intents: readonly AttemptIntent[],
  facts: readonly AttemptFact[],
  charges: readonly Charge[],
): Promise<boolean> {
  const { without, stale } = await store.write(async (tx) => {
    const sum = charges[0] ?? { used: NOTHING, doubtful: NOTHING }
    const books = worker.granted || sum.doubtful.nano > 0
    const without = books ? await store.budgets.book(tx, worker.id, [{ jobNo, ...sum }]) : new Set<number>()
    const written = without.has(jobNo) ? [] : intents
    const deltas = [{ claim, delta: deltaOf(facts, []) }]
    const stale = await store.rows.record(tx, { intents: written, facts, outcomes: [], deltas })
    return { without, stale }
  })
  if (without.has(jobNo)) {
    worker.granted = false
    worker.purse.void()
  }
  return !without.has(jobNo) && stale.length === 0
}
