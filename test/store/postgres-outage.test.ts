import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres.ts'
import { answerRows, bothSums, claim, newJob, outcomeOf, queuedJob } from '../conformance/store-fixture.ts'
import { ask } from '../postgres/ask.ts'
import { type Cluster, startCluster } from '../postgres/cluster.ts'
import { migratedDatabase, noPostgres, type TestDatabase } from '../postgres/database.ts'
import { startProxy, type Way } from '../postgres/proxy.ts'

describe.skipIf(noPostgres !== null)(`a PostgreSQL store (${noPostgres ?? 'is there'})`, () => {
  describe('when its server goes away and comes back', () => {
    let cluster: Cluster
    let store: PostgresStore
    beforeAll(async () => {
      cluster = await startCluster()
      store = await openPostgresStore({ url: cluster.url, runtime: systemRuntime() })
    })
    afterAll(async () => {
      await store.close()
      await cluster.remove()
    })

    it.each(['stop', 'crash'] as const)('fails meanwhile and goes on by itself after a %s', async (end) => {
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [outcomeOf(0)])
      await cluster[end]()
      for (const doing of [() => store.jobs.getByNo(jobNo), () => answerRows(store, held, [outcomeOf(1)])]) {
        // The connections that were open may fail once more than new ones.
        await expect(doing()).rejects.toMatchObject({ name: 'StorageFailure', kind: 'io' })
        await expect(doing()).rejects.toMatchObject({ name: 'StorageFailure', kind: 'io' })
      }
      await cluster.start()
      await eventually(() => answerRows(store, held, [outcomeOf(1)]))
      const { counters, ledger } = await eventually(() => bothSums(store, jobNo))
      expect(counters).toStrictEqual(ledger)
      expect((await store.rows.ended(jobNo, 0, 2)).size).toBe(2)
    })
  })

  describe('when the way to its server is cut', () => {
    let database: TestDatabase
    let proxy: Way
    let store: PostgresStore
    beforeEach(async () => {
      database = await migratedDatabase()
      proxy = await startProxy(database.url)
      store = await openPostgresStore({ url: proxy.url, runtime: systemRuntime() })
    })
    afterEach(async () => {
      await store.close()
      await proxy.close()
      await database.drop()
    })

    it('knows that a commit went through whose answer was lost', async () => {
      const { jobNo } = await queuedJob(store, [1])
      const held = await claim(store, jobNo, 0)
      proxy.breakNextCommit('answer lost')
      expect(await answerRows(store, held, [outcomeOf(0)])).toStrictEqual([])
      const { counters, ledger } = await bothSums(store, jobNo)
      expect(counters).toStrictEqual(ledger)
      expect(counters).toMatchObject({ attempts: 1, costNano: 300 })
    })

    it('knows that a commit never got there', async () => {
      proxy.breakNextCommit('never sent')
      await expect(store.jobs.create(newJob())).rejects.toMatchObject({ kind: 'io' })
      expect(await store.jobs.list(1, { limit: 5 })).toStrictEqual([])
      expect((await store.jobs.create(newJob())).created).toBe(true)
    })

    it('does not wait for ever to know, when it is closed meanwhile', async () => {
      await store.jobs.create(newJob())
      proxy.breakNextCommit('nobody answers')
      const creating = store.jobs.create(newJob()).catch((error: unknown) => error)
      const committed = async () => (await ask(database.url, 'select id from sluice.jobs')).length === 2
      while (!(await committed())) await systemRuntime().sleep(10)
      await store.close()
      expect(await creating).toMatchObject({ name: 'StorageFailure', kind: 'closed' })
    })

    it('takes new connections for those that broke, reading or writing', async () => {
      const { job } = await store.jobs.create(newJob())
      const before = proxy.connections
      proxy.cutAll()
      await eventually(() => store.jobs.want(job.jobNo, 'pause'))
      expect(await eventually(() => store.jobs.getByNo(job.jobNo))).toMatchObject({ wanted: 'pause' })
      expect(proxy.connections).toBeGreaterThan(before)
    })

    it('runs a transaction again that was broken by a deadlock, and no other', async () => {
      const { job } = await store.jobs.create(newJob())
      const runs: number[] = []
      const result = await store.write(async (tx) => {
        runs.push(runs.length)
        await store.events.append(tx, job.jobNo, 'note', {}, 1)
        if (runs.length < 3) throw new StorageFailure('busy', 'deadlock', Object.assign(new Error(), { code: '40P01' }))
        return 'done'
      })
      expect([result, runs.length]).toStrictEqual(['done', 3])
      expect(await store.events.list(job.jobNo, 0, 9)).toHaveLength(1)
      const busy = new StorageFailure('busy', 'locked', Object.assign(new Error(), { code: '55P03' }))
      await expect(store.write(() => Promise.reject(busy))).rejects.toBe(busy)
    })
  })
})

/** Tries again as long as the storage fails: what a worker does. */
async function eventually<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof StorageFailure) || tries > 200) throw error
      await systemRuntime().sleep(50)
    }
  }
}
