import { PgBoss } from 'pg-boss'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createPgBossQueue } from '../../src/queue/pg-boss.ts'
import { migratePgBoss } from '../../src/queue/pg-boss-migrate.ts'
import { RETRY_LIMIT } from '../../src/queue/pg-boss-tables.ts'
import type { Delivery, NewMessage } from '../../src/queue/queue.ts'
import { queueConformance } from '../conformance/queue.ts'
import { ask, freshDatabase, noPostgres } from '../postgres/database.ts'
import { openFreshPgBoss, type PgBossUnderTest } from './pg-boss-fixture.ts'

describe.skipIf(noPostgres !== null)(`PostgreSQL (${noPostgres ?? 'is there'})`, () => {
  queueConformance('pg-boss', openFreshPgBoss)

  describe('what only many machines have', () => {
    let under: PgBossUnderTest
    beforeEach(async () => {
      under = await openFreshPgBoss()
    })
    afterEach(() => under.close())
    const enqueue = (messages: readonly NewMessage[]) => under.write((tx) => under.queue.enqueue(tx, messages))

    it('never gives a tenant more than its cap, however many ask at once, and always that much', async () => {
      await ask(
        under.url,
        `insert into sluice.tenants (tenant_no, name, max_chunks) values (2, 'two', 3), (3, 'three', 0)`,
      )
      await enqueue([...messages(2, 2, 40), ...messages(3, 3, 5), ...messages(1, 1, 10)])
      const sides = [under, await under.openAnother(), await under.openAnother(), await under.openAnother()]
      const held = new Set<Delivery>()
      const seen = new Map<number, number>()
      let most = 0
      const work = async (side: (typeof sides)[number], worker: string) => {
        for (let idle = 0; idle < 5; ) {
          const taken = await side.queue.fetch(worker, 2)
          for (const delivery of taken) held.add(delivery)
          most = Math.max(most, [...held].filter((delivery) => delivery.tenantNo === 2).length)
          for (const delivery of taken) {
            seen.set(delivery.tenantNo, (seen.get(delivery.tenantNo) ?? 0) + 1)
            await side.write(async (tx) => {
              // Forgotten before the commit: what another then takes must not be counted beside it.
              held.delete(delivery)
              expect(await side.queue.complete(tx, delivery)).toBe(true)
            })
          }
          idle = taken.length === 0 ? idle + 1 : 0
        }
      }
      await Promise.all(sides.flatMap((side, n) => [work(side, `a${n}`), work(side, `b${n}`)]))
      expect(Object.fromEntries(seen)).toStrictEqual({ 1: 10, 2: 40 })
      expect(most).toBeLessThanOrEqual(3)
      await enqueue(messages(2, 4, 9))
      expect(await under.queue.fetch('one', 9)).toHaveLength(3)
      expect(await under.queue.fetch('two', 9)).toHaveLength(0)
      await ask(under.url, 'update sluice.tenants set max_chunks = 5 where tenant_no = 2')
      expect(await under.queue.fetch('two', 9)).toHaveLength(2)
      await ask(under.url, 'update sluice.tenants set max_chunks = null')
      expect(await under.queue.fetch('three', 99)).toHaveLength(9)
    })

    it('lays a message down that has died too often, and gives its task to whoever clears up', async () => {
      await enqueue(messages(1, 1, 1))
      for (let death = 0; death <= RETRY_LIMIT; death += 1) {
        expect(await under.queue.fetch(`worker ${death}`, 1)).toMatchObject([{ deliveries: death + 1 }])
        expect(await under.queue.reclaim(async () => true)).toBe(1)
      }
      expect(await under.queue.fetch('last', 1)).toStrictEqual([])
      expect(await under.queue.depth(1)).toMatchObject({ ready: 0, delayed: 0, leased: 0 })
      const take = () => under.write((tx) => under.queue.takeDead(tx, 10))
      expect(await take()).toStrictEqual([{ kind: 'chunk', jobNo: 1, chunkNo: 0 }])
      expect(await take()).toStrictEqual([])
      await enqueue(messages(1, 1, 1))
      expect(await under.queue.fetch('next', 1)).toMatchObject([{ deliveries: 1 }])
    })

    it('forgets the dead letters of a job with the rest of it', async () => {
      await enqueue(messages(1, 1, 1))
      for (let death = 0; death <= RETRY_LIMIT; death += 1) {
        await under.queue.fetch('one', 1)
        await under.queue.reclaim(async () => true)
      }
      await under.write((tx) => under.queue.purge(tx, 1))
      expect(await under.write((tx) => under.queue.takeDead(tx, 10))).toStrictEqual([])
    })

    it('renews leases while a transaction of its process is open for long, also of messages that this one completes', async () => {
      await enqueue(messages(1, 1, 3))
      const [first, second, waits] = await under.queue.fetch('one', 3)
      const other = await under.openAnother()
      await under.store.fleet.join(MEMBER)
      const begun = Promise.withResolvers<void>()
      const goOn = Promise.withResolvers<void>()
      const long = under.write(async (tx) => {
        await under.queue.complete(tx, first!)
        begun.resolve()
        await goOn.promise
      })
      await begun.promise
      try {
        await under.pass(under.leaseMs - 1_000)
        expect(await under.queue.extend([first!, second!])).toStrictEqual([first, second])
        expect(await under.store.fleet.beat('one', null)).toMatchObject({ silentMs: expect.any(Number) })
        expect(await under.store.fleet.holdRole('janitor', 'one', 10_000)).toBe(true)
        await under.pass(2_000)
        // What was renewed is not taken; what was not, is.
        expect(await other.queue.fetch('two', 9)).toMatchObject([{ task: waits!.task, deliveries: 2 }])
      } finally {
        goOn.resolve()
      }
      await long
      expect(await under.queue.extend([first!, second!, waits!])).toStrictEqual([second])
    })

    it('takes nothing from the worker that asks, though it was frozen for longer than its lease', async () => {
      await enqueue(messages(1, 1, 2))
      const [held] = await under.queue.fetch('one', 1)
      await under.pass(under.leaseMs + 1_000)
      expect(await under.queue.fetch('one', 9)).toMatchObject([{ task: { chunkNo: 1 }, deliveries: 1 }])
      expect(await under.queue.extend([held!])).toStrictEqual([held])
      await under.pass(under.leaseMs + 1_000)
      expect(await under.queue.fetch('two', 1)).toMatchObject([{ task: { chunkNo: 0 }, deliveries: 2 }])
      expect(await under.queue.extend([held!])).toStrictEqual([])
    })

    it('fetches as pg-boss itself would: the same columns, with the same values', async () => {
      await enqueue(messages(1, 1, 2))
      const boss = new PgBoss({
        connectionString: under.url,
        schema: 'sluice_queue',
        migrate: false,
        supervise: false,
        schedule: false,
      })
      await boss.start()
      try {
        const [theirs] = await boss.fetch('sluice', { includeMetadata: true })
        const [ours] = await under.queue.fetch('one', 1)
        const id = ours!.receipt.split(':')[0] as string
        const [job] = await boss.findJobs('sluice', { id })
        const { id: _a, data: _b, singletonKey: _c, startedOn, heartbeatOn, ...same } = job!
        expect(same).toStrictEqual({ ...same, ...pick(theirs!, Object.keys(same)) })
        expect(startedOn).toStrictEqual(heartbeatOn)
        expect(await boss.fetch('sluice')).toStrictEqual([])
      } finally {
        await boss.stop({ graceful: false })
      }
    })
  })

  it('is set up by many at once, and once', async () => {
    const { url, drop } = await freshDatabase()
    await Promise.all(Array.from({ length: 4 }, () => migratePgBoss({ url })))
    await migratePgBoss({ url })
    const boss = new PgBoss({
      connectionString: url,
      schema: 'sluice_queue',
      migrate: false,
      supervise: false,
      schedule: false,
    })
    await boss.start()
    expect((await boss.getQueues()).map(({ name, policy }) => `${name} ${policy}`).sort()).toStrictEqual([
      'sluice exclusive',
      'sluice_dead standard',
    ])
    await boss.stop({ graceful: false })
    await drop()
  })

  it('refuses a queue of another version, and says what to do', async () => {
    const under = await openFreshPgBoss()
    await ask(under.url, 'update sluice_queue.version set version = version + 1')
    await expect(createPgBossQueue({ database: under.store, url: under.url })).rejects.toMatchObject({
      code: 'store_version',
      hint: expect.stringContaining('sluice migrate'),
    })
    await under.close()
  })
})

const MEMBER = { workerId: 'one', host: 'here', pid: 1, version: 'test', jobNo: null, chunks: 1, concurrency: null }

function messages(tenantNo: number, jobNo: number, count: number): NewMessage[] {
  return Array.from({ length: count }, (_, chunkNo) => ({
    task: { kind: 'chunk', jobNo, chunkNo },
    tenantNo,
    priority: 'normal',
  }))
}

function pick(from: object, names: readonly string[]): object {
  return Object.fromEntries(Object.entries(from).filter(([name]) => names.includes(name)))
}
