import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { StoreTx } from '../../src/domain/store-tx.ts'
import type { Delivery, NewMessage, Queue } from '../../src/queue/queue.ts'

/** A queue under test, empty, and the transactions of the store that it shares a database with. */
export interface QueueSide {
  readonly queue: Queue
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
}

export interface QueueUnderTest extends QueueSide {
  /** How long a lease lasts. */
  readonly leaseMs: number
  /** The same queue as another process has it open. */
  openAnother(): Promise<QueueSide>
  /** Makes a tenant, or changes it; the first is there. */
  setTenant(tenantNo: number, caps: { readonly weight?: number; readonly maxChunks?: number | null }): Promise<void>
  /** Lets time pass, as the queue counts it. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** What every queue must do, whatever delivers. */
export function queueConformance(name: string, openFresh: () => Promise<QueueUnderTest>): void {
  describe(`queue: ${name}`, () => {
    let under: QueueUnderTest
    let queue: Queue
    beforeEach(async () => {
      under = await openFresh()
      queue = under.queue
    })
    afterEach(async () => {
      await under.close()
    })
    const group = { under: () => under, enqueue: (...messages: readonly NewMessage[]) => enqueue(under, messages) }
    describe('delivery', () => deliveryTests(group))
    describe('leases', () => leaseTests(group))
    describe('turns', () => turnTests(group))
    describe('turns of tenants', () => tenantTests(group))

    it('counts what waits, is delayed and is leased', async () => {
      expect(await queue.depth(1)).toStrictEqual({ ready: 0, delayed: 0, leased: 0, nextDueMs: null })
      await enqueue(under, [chunk(1), chunk(2), chunk(3, { delayMs: 5_000 }), chunk(4, { delayMs: 9_000 })])
      await enqueue(under, [{ ...chunk(1), task: { kind: 'chunk', jobNo: 2, chunkNo: 1 } }])
      await queue.fetch('one', 1, { jobNo: 1 })
      const depth = await queue.depth(1)
      expect(depth).toMatchObject({ ready: 1, delayed: 2, leased: 1 })
      await under.pass(5_000)
      const later = await queue.depth(1)
      expect(later).toMatchObject({ ready: 2, delayed: 1 })
      expect(later.nextDueMs! - depth.nextDueMs!).toBe(4_000)
    })

    it('counts all there is, and says how long the oldest has waited and who holds what', async () => {
      expect(await queue.total()).toStrictEqual({ ready: 0, delayed: 0, leased: 0, oldestReadyMs: null })
      expect(await queue.holders()).toStrictEqual([])
      await enqueue(under, [chunk(1), chunk(2), ofJob(2), ofJob(3, { delayMs: 60_000 })])
      await under.pass(3_000)
      await enqueue(under, [ofJob(4)])
      await queue.fetch('one', 1, { jobNo: 1 })
      await queue.fetch('two', 1, { jobNo: 1 })
      await under.pass(1_000)
      await queue.fetch('one', 1, { jobNo: 4 })
      const { oldestReadyMs, ...counts } = await queue.total()
      expect(counts).toStrictEqual({ ready: 1, delayed: 1, leased: 3 })
      expect(oldestReadyMs).toBeGreaterThanOrEqual(4_000)
      expect(oldestReadyMs).toBeLessThan(60_000)
      const [one, two, ...more] = await queue.holders()
      expect([one, two, ...more]).toMatchObject([
        { worker: 'one', messages: 2 },
        { worker: 'two', messages: 1 },
      ])
      expect(two!.sinceMs).toBeGreaterThanOrEqual(one!.sinceMs)
      await under.pass(under.leaseMs)
      await queue.reclaim(async () => true)
      expect(await queue.holders()).toStrictEqual([])
    })

    it('forgets all of a job, whoever holds it', async () => {
      await enqueue(under, [chunk(1), chunk(2), { ...chunk(1), task: { kind: 'chunk', jobNo: 2, chunkNo: 1 } }])
      const [held] = await queue.fetch('one', 1)
      expect(await under.write((tx) => queue.purge(tx, 1))).toBe(1)
      expect(await under.write((tx) => queue.purge(tx, 1))).toBe(0)
      expect(await queue.depth(1)).toMatchObject({ ready: 0, leased: 0 })
      expect(await queue.extend([held!])).toStrictEqual([])
      expect(await under.write((tx) => queue.complete(tx, held!))).toBe(false)
      expect(names(await queue.fetch('one', 9))).toStrictEqual(['chunk 2/1'])
    })
  })
}

interface Group {
  readonly under: () => QueueUnderTest
  enqueue(...messages: readonly NewMessage[]): Promise<void>
}

function deliveryTests({ under, enqueue }: Group): void {
  let queue: Queue
  beforeEach(() => {
    queue = under().queue
  })

  it('delivers what was enqueued, once', async () => {
    await under().setTenant(7, {})
    const finalize = { task: { kind: 'finalize', jobNo: 1, round: 2 }, tenantNo: 7, priority: 'normal' } as const
    await enqueue(chunk(4, { tenantNo: 7 }), finalize)
    const deliveries = await queue.fetch('one', 9)
    expect(deliveries).toMatchObject([
      { task: { kind: 'finalize', jobNo: 1, round: 2 }, tenantNo: 7, deliveries: 1 },
      { task: { kind: 'chunk', jobNo: 1, chunkNo: 4 }, tenantNo: 7, deliveries: 1 },
    ])
    expect(await queue.fetch('two', 9)).toStrictEqual([])
  })

  it('delivers nothing of a transaction that was rolled back', async () => {
    const failing = under().write(async (tx) => {
      await queue.enqueue(tx, [chunk(1)])
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await queue.fetch('one', 9)).toStrictEqual([])
  })

  it('takes the highest priority first, then the oldest, and as many as are asked for', async () => {
    await enqueue(chunk(1, { priority: 'low' }), chunk(2), chunk(3, { priority: 'high' }), chunk(4), chunk(5))
    expect(names(await queue.fetch('one', 0))).toStrictEqual([])
    expect(names(await queue.fetch('one', 3))).toStrictEqual(['chunk 1/3', 'chunk 1/2', 'chunk 1/4'])
    expect(names(await queue.fetch('two', 9))).toStrictEqual(['chunk 1/5', 'chunk 1/1'])
  })

  it('takes only what is of one job, where that is asked', async () => {
    await enqueue(ofJob(1), ofJob(2), ofJob(3))
    expect(names(await queue.fetch('one', 9, { jobNo: 2 }))).toStrictEqual(['chunk 2/1'])
    expect(names(await queue.fetch('one', 9, { jobNo: 2 }))).toStrictEqual([])
    expect(names(await queue.fetch('one', 9))).toStrictEqual(['chunk 1/1', 'chunk 3/1'])
  })

  it('leaves out what is of some jobs, where that is asked', async () => {
    await enqueue(ofJob(1), ofJob(2), ofJob(3))
    expect(names(await queue.fetch('one', 9, { except: [1, 3] }))).toStrictEqual(['chunk 2/1'])
    expect(names(await queue.fetch('one', 9, { except: [1, 3] }))).toStrictEqual([])
    expect(names(await queue.fetch('one', 9, { jobNo: 1, except: [1] }))).toStrictEqual([])
    expect(names(await queue.fetch('one', 9))).toStrictEqual(['chunk 1/1', 'chunk 3/1'])
  })

  it('keeps one message for a task, as it was first', async () => {
    await enqueue(chunk(1, { priority: 'low' }), chunk(2))
    await enqueue(chunk(1, { priority: 'high', delayMs: 60_000 }), chunk(2))
    expect(names(await queue.fetch('one', 9))).toStrictEqual(['chunk 1/2', 'chunk 1/1'])
    await enqueue(chunk(1))
    expect(await queue.fetch('one', 9)).toStrictEqual([])
    expect((await queue.depth(1)).leased).toBe(2)
  })

  it('delivers a delayed message when its time has come', async () => {
    await enqueue(chunk(1, { delayMs: 3_000 }))
    await under().pass(2_000)
    expect(await queue.fetch('one', 9)).toStrictEqual([])
    await under().pass(1_000)
    expect(names(await queue.fetch('one', 9))).toStrictEqual(['chunk 1/1'])
  })

  it('gives each message to one of many that ask at once', async () => {
    await enqueue(...Array.from({ length: 60 }, (_, n) => chunk(n)))
    const another = await under().openAnother()
    const asked = Array.from({ length: 12 }, (_, n) => (n % 2 === 0 ? queue : another.queue).fetch(`worker ${n}`, 5))
    const fetched = (await Promise.all(asked)).flatMap(names)
    expect(fetched).toHaveLength(60)
    expect(new Set(fetched).size).toBe(60)
  })

  it('carries thousands of messages of one job', async () => {
    await enqueue(...Array.from({ length: 5_000 }, (_, n) => chunk(n)))
    expect((await queue.depth(1)).ready).toBe(5_000)
    expect(names(await queue.fetch('one', 2))).toStrictEqual(['chunk 1/0', 'chunk 1/1'])
  })
}

function leaseTests({ under, enqueue }: Group): void {
  let queue: Queue
  beforeEach(() => {
    queue = under().queue
  })
  const complete = (held: Delivery) => under().write((tx) => queue.complete(tx, held))
  const release = (held: Delivery, delayMs = 0) => under().write((tx) => queue.release(tx, held, delayMs))
  const nobody = async () => false

  it('removes a completed message, for its holder only', async () => {
    await enqueue(chunk(1))
    const [held] = await queue.fetch('one', 1)
    expect(await complete({ ...held!, receipt: '0' })).toBe(false)
    expect(await complete(held!)).toBe(true)
    expect(await complete(held!)).toBe(false)
    await enqueue(chunk(1))
    expect(await queue.fetch('one', 1)).toHaveLength(1)
  })

  it('completes only with its transaction', async () => {
    await enqueue(chunk(1))
    const [held] = await queue.fetch('one', 1)
    const failing = under().write(async (tx) => {
      expect(await queue.complete(tx, held!)).toBe(true)
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await queue.extend([held!])).toStrictEqual([held])
  })

  it('gives a released message to the next, after its delay, as if delivered for the first time', async () => {
    await enqueue(chunk(1))
    const [held] = await queue.fetch('one', 1)
    expect(await release(held!, 2_000)).toBe(true)
    expect(await release(held!)).toBe(false)
    expect(await queue.fetch('two', 1)).toStrictEqual([])
    await under().pass(2_000)
    const [again] = await queue.fetch('two', 1)
    expect(again).toMatchObject({ messageId: held!.messageId, deliveries: 1 })
    expect(again!.receipt).not.toBe(held!.receipt)
  })

  it('keeps a lease that is renewed, and lets go of one that is not', async () => {
    await enqueue(chunk(1), chunk(2))
    const [kept, left] = await queue.fetch('one', 2)
    await under().pass(under().leaseMs * 0.75)
    expect(await queue.extend([kept!])).toStrictEqual([kept])
    await under().pass(under().leaseMs * 0.5)
    const [taken] = await queue.fetch('two', 9)
    expect(taken).toMatchObject({ messageId: left!.messageId, deliveries: 2 })
    expect(await queue.extend([kept!, left!, taken!])).toStrictEqual([kept, taken])
    expect(await queue.extend([])).toStrictEqual([])
  })

  it('lets the holder of a lease that ran out renew it, if it comes before anybody else', async () => {
    await enqueue(chunk(1))
    const [held] = await queue.fetch('one', 1)
    await under().pass(under().leaseMs * 2)
    expect(await queue.extend([held!])).toStrictEqual([held])
    expect(await queue.fetch('two', 1)).toStrictEqual([])
  })

  it('gives an earlier delivery of a message no power at all', async () => {
    await enqueue(chunk(1))
    const [old] = await queue.fetch('one', 1)
    await under().pass(under().leaseMs)
    expect(await queue.reclaim(nobody)).toBe(1)
    expect(await queue.extend([old!])).toStrictEqual([])
    const [current] = await queue.fetch('two', 1)
    expect(await queue.extend([old!])).toStrictEqual([])
    expect(await complete(old!)).toBe(false)
    expect(await release(old!)).toBe(false)
    expect(await queue.extend([current!])).toStrictEqual([current])
    expect(await complete(current!)).toBe(true)
  })

  it('frees the leases of the dead at once, and of nobody else', async () => {
    await enqueue(chunk(1), chunk(2), chunk(3))
    const [dead] = await queue.fetch('dead', 1)
    await queue.fetch('alive', 1)
    const asked: string[] = []
    const isGone = async (worker: string) => {
      asked.push(worker)
      return worker === 'dead'
    }
    expect(await queue.reclaim(isGone)).toBe(1)
    expect(asked.sort()).toStrictEqual(['alive', 'dead'])
    expect(await queue.depth(1)).toMatchObject({ ready: 2, leased: 1 })
    const [again] = await queue.fetch('next', 1)
    expect(again).toMatchObject({ messageId: dead!.messageId, deliveries: 2 })
    expect(await queue.reclaim(nobody)).toBe(0)
  })
}

function turnTests({ under, enqueue }: Group): void {
  let queue: Queue
  beforeEach(() => {
    queue = under().queue
  })
  /** Fetches one message after the other and completes it, as one worker would. Returns their names. */
  const serve = async (times: number, between: (n: number) => Promise<void> = async () => undefined) => {
    const served: string[] = []
    for (let n = 0; n < times; n += 1) {
      const [delivery] = await queue.fetch('one', 1)
      if (delivery === undefined) break
      served.push(...names([delivery]))
      await under().write((tx) => queue.complete(tx, delivery))
      await between(n)
    }
    return served
  }

  it('serves jobs by turns, each in the order its messages came', async () => {
    await enqueue(chunk(0), chunk(1), chunk(2))
    await enqueue(ofJob(2, {}, 0), ofJob(2, {}, 1))
    expect(await serve(9)).toStrictEqual(['chunk 1/0', 'chunk 2/0', 'chunk 1/1', 'chunk 2/1', 'chunk 1/2'])
  })

  it('lets a thousand small jobs that come at once behind a big one have their turn before it is served twice', async () => {
    await enqueue(...Array.from({ length: 1_000 }, (_, n) => chunk(n)))
    expect(await serve(20)).toHaveLength(20)
    await enqueue(...Array.from({ length: 1_000 }, (_, n) => ofJob(n + 2)))
    const served: string[] = []
    for (let n = 0; n < 10; n += 1) served.push(...names(await queue.fetch(`worker ${n}`, 101)))
    expect(served[0]).toBe('chunk 1/20')
    // They came at the same moment: which of them is first is nobody's promise.
    expect(served.slice(1, 1_001).filter((name) => name.startsWith('chunk 1/'))).toStrictEqual([])
    expect(served.slice(1_001)).toStrictEqual(Array.from({ length: 9 }, (_, n) => `chunk 1/${n + 21}`))
    expect(new Set(served).size).toBe(1_010)
  })

  it('serves an old job every few turns, though new ones come without an end', async () => {
    await enqueue(...Array.from({ length: 5 }, (_, n) => chunk(n)), ofJob(2), ofJob(3))
    const served = await serve(150, (n) => enqueue(ofJob(n + 4)))
    expect(served.filter((name) => name.startsWith('chunk 1/'))).toHaveLength(5)
  })

  it('takes a job that comes back into the line where it stands, and a released message where it stood', async () => {
    await enqueue(...Array.from({ length: 6 }, (_, n) => chunk(n)))
    expect(await serve(3)).toHaveLength(3)
    const [held] = await queue.fetch('one', 1)
    await enqueue(ofJob(2, {}, 0), ofJob(2, {}, 1))
    await under().write((tx) => queue.release(tx, held!, 0))
    expect(await serve(9)).toStrictEqual(['chunk 1/3', 'chunk 1/4', 'chunk 2/0', 'chunk 1/5', 'chunk 2/1'])
  })

  it('puts a message that is released for later behind the others of its job', async () => {
    await enqueue(...Array.from({ length: 3 }, (_, n) => chunk(n)), ofJob(2, {}, 0), ofJob(2, {}, 1), ofJob(2, {}, 2))
    const [held] = await queue.fetch('one', 1)
    await under().write((tx) => queue.release(tx, held!, 1_000))
    await under().pass(1_000)
    const order = ['chunk 2/0', 'chunk 1/1', 'chunk 2/1', 'chunk 1/2', 'chunk 2/2', 'chunk 1/0']
    expect(await serve(9)).toStrictEqual(order)
  })
}

function tenantTests({ under, enqueue }: Group): void {
  let queue: Queue
  beforeEach(async () => {
    queue = under().queue
    await under().setTenant(2, {})
    await under().setTenant(3, {})
  })
  const ofTenant = (tenantNo: number, jobNo: number, count: number, more: Partial<NewMessage> = {}) =>
    Array.from({ length: count }, (_, n) => ofJob(jobNo, { tenantNo, ...more }, n))
  /** Fetches and completes one message after the other, as if each took so many tokens. Returns what each tenant had. */
  const serve = async (times: number, tokensOf: (tenantNo: number) => number) => {
    const had = new Map<number, number>()
    for (let n = 0; n < times; n += 1) {
      const [delivery] = await queue.fetch('one', 1)
      if (delivery === undefined) break
      const { tenantNo } = delivery
      await under().write((tx) => queue.complete(tx, delivery, tokensOf(tenantNo)))
      had.set(tenantNo, (had.get(tenantNo) ?? 0) + tokensOf(tenantNo))
    }
    return had
  }

  it('gives tenants tokens by their weights, however many jobs each has and however large their chunks are', async () => {
    await under().setTenant(2, { weight: 3 })
    for (let jobNo = 10; jobNo < 15; jobNo += 1) await enqueue(...ofTenant(1, jobNo, 20))
    await enqueue(...ofTenant(2, 20, 60), ...ofTenant(3, 30, 60))
    const had = await serve(60, (tenantNo) => [1_000, 2_000, 500][tenantNo - 1] as number)
    const [one, two, three] = [1, 2, 3].map((tenantNo) => had.get(tenantNo) ?? 0) as [number, number, number]
    expect(Math.abs(two / 3 - one)).toBeLessThanOrEqual(1_500)
    expect(Math.abs(three - one)).toBeLessThanOrEqual(1_500)
  })

  it('lets the urgent jobs of one tenant go before its others, and not before those of another', async () => {
    await enqueue(...ofTenant(1, 10, 3), ...ofTenant(1, 11, 3, { priority: 'high' }))
    await enqueue(...ofTenant(2, 20, 3, { priority: 'low' }))
    const served: string[] = []
    for (let n = 0; n < 6; n += 1) served.push(...names(await queue.fetch('one', 1)))
    expect(served.filter((name) => name.startsWith('chunk 20/'))).toHaveLength(3)
    expect(served.filter((name) => name.startsWith('chunk 11/'))).toHaveLength(3)
  })

  it('serves a tenant that comes new at once, and owes it nothing for the time before', async () => {
    await enqueue(...ofTenant(1, 10, 60))
    await serve(20, () => 1_000)
    await enqueue(...ofTenant(2, 20, 20))
    expect(names(await queue.fetch('one', 2))).toContain('chunk 20/0')
    const had = await serve(20, () => 1_000)
    expect(Math.abs((had.get(1) ?? 0) - (had.get(2) ?? 0))).toBeLessThanOrEqual(2_000)
  })

  it('charges for a message that is given back what was taken of it, and no more', async () => {
    await enqueue(...ofTenant(1, 10, 9), ...ofTenant(2, 20, 9))
    await serve(8, () => 1_000)
    for (let n = 0; n < 6; n += 1) {
      const [held] = await queue.fetch('one', 1, { jobNo: 10 })
      await under().write((tx) => queue.release(tx, held!, 0))
    }
    const had = await serve(6, () => 1_000)
    expect([had.get(1), had.get(2)]).toStrictEqual([3_000, 3_000])
  })

  it('keeps the cap of a tenant, and does not owe it what that has kept from it', async () => {
    await under().setTenant(2, { maxChunks: 2 })
    await enqueue(...ofTenant(1, 10, 90), ...ofTenant(2, 20, 90))
    const held = await queue.fetch('one', 30)
    expect(held.filter(({ tenantNo }) => tenantNo === 2)).toHaveLength(2)
    expect(held).toHaveLength(30)
    await under().setTenant(2, { maxChunks: null })
    const later = await queue.fetch('one', 40)
    const ofOne = later.filter(({ tenantNo }) => tenantNo === 1)
    // Eight messages is the most that anybody is owed.
    expect(ofOne.length).toBeGreaterThanOrEqual(15)
  })

  it('leaves out what is of some tenants, where that is asked', async () => {
    await enqueue(...ofTenant(1, 10, 2), ...ofTenant(2, 20, 1), ...ofTenant(3, 30, 1))
    expect(names(await queue.fetch('one', 9, { exceptTenants: [1, 3] }))).toStrictEqual(['chunk 20/0'])
    expect(names(await queue.fetch('one', 9, { exceptTenants: [1, 3] }))).toStrictEqual([])
    expect(names(await queue.fetch('one', 9, { exceptTenants: [1], except: [30] }))).toStrictEqual([])
    expect(await queue.fetch('one', 9)).toHaveLength(3)
  })

  it('gives out one of each tenant, where that is asked, and those of some tenants last', async () => {
    await enqueue(...ofTenant(1, 10, 3), ...ofTenant(2, 20, 3), ...ofTenant(3, 30, 3))
    // It is the turn of the third.
    await serve(2, () => 50_000)
    const beside = { lastTenants: [3], oneEach: true }
    const first = await queue.fetch('one', 2, beside)
    expect(first.map(({ tenantNo }) => tenantNo).sort()).toStrictEqual([1, 2])
    const all = await queue.fetch('one', 9, beside)
    expect(all.map(({ tenantNo }) => tenantNo).sort()).toStrictEqual([1, 2, 3])
  })

  it('gives no tenant more than its cap where one of each is asked for', async () => {
    await under().setTenant(2, { maxChunks: 1 })
    await enqueue(...ofTenant(1, 10, 3), ...ofTenant(2, 20, 3))
    expect(await queue.fetch('one', 9, { oneEach: true })).toHaveLength(2)
    const next = await queue.fetch('one', 9, { oneEach: true })
    expect(next.map(({ tenantNo }) => tenantNo)).toStrictEqual([1])
  })

  it('gives out one end of a round at a time, and no chunk beside it, where one of each tenant is asked for', async () => {
    const end = (tenantNo: number, jobNo: number): NewMessage => {
      return { task: { kind: 'finalize', jobNo, round: 0 }, tenantNo, priority: 'normal' }
    }
    await enqueue(...ofTenant(1, 10, 2), ...ofTenant(2, 20, 2), ...ofTenant(3, 30, 2))
    await enqueue(end(1, 11), end(1, 12), end(2, 21))
    const first = await queue.fetch('one', 8, { oneEach: true })
    expect(first.map(({ task, tenantNo }) => [tenantNo, task.kind])).toContainEqual([1, 'finalize'])
    expect(first.map(({ tenantNo }) => tenantNo).sort()).toStrictEqual([1, 2, 3])
    expect(first.filter(({ task }) => task.kind === 'finalize')).toHaveLength(1)
    const next = await queue.fetch('one', 8, { oneEach: true, exceptTenants: [1] })
    expect(names(next).sort()).toStrictEqual(['chunk 30/1', 'finalize 21/0'])
    expect(names(await queue.fetch('one', 2)).slice(0, 1)).toStrictEqual(['finalize 12/0'])
  })

  it('gives out ends of rounds before all else', async () => {
    await enqueue(...ofTenant(1, 10, 2, { priority: 'high' }))
    await serve(1, () => 50_000)
    const end: NewMessage = { task: { kind: 'finalize', jobNo: 10, round: 0 }, tenantNo: 1, priority: 'low' }
    await enqueue(...ofTenant(2, 20, 2, { priority: 'high' }), end)
    expect(names(await queue.fetch('one', 1))).toStrictEqual(['finalize 10/0'])
  })
}

function ofJob(jobNo: number, more: Partial<NewMessage> = {}, chunkNo = 1): NewMessage {
  return { ...chunk(chunkNo), task: { kind: 'chunk', jobNo, chunkNo }, ...more }
}

function chunk(chunkNo: number, more: Partial<NewMessage> = {}): NewMessage {
  return { task: { kind: 'chunk', jobNo: 1, chunkNo }, tenantNo: 1, priority: 'normal', ...more }
}

async function enqueue(side: QueueSide, messages: readonly NewMessage[]): Promise<void> {
  await side.write((tx) => side.queue.enqueue(tx, messages))
}

function names(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ task }) =>
    task.kind === 'intake'
      ? `intake ${task.jobNo}`
      : task.kind === 'chunk'
        ? `chunk ${task.jobNo}/${task.chunkNo}`
        : `finalize ${task.jobNo}/${task.round}`,
  )
}
