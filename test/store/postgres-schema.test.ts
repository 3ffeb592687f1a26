import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import { MIGRATIONS } from '../../src/store/migrations/index.ts'
import { openPostgresStore, type PostgresStore, type PostgresStoreOptions } from '../../src/store/postgres.ts'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { attemptsPartition, rowsPartition, weekBucket } from '../../src/store/postgres-partitions.ts'
import {
  answerRows,
  claim,
  completeChunk,
  intentOf,
  newJob,
  nextId,
  outcomeOf,
  queuedJob,
  record,
  segmentOf,
  T,
} from '../conformance/store-fixture.ts'
import { ask } from '../postgres/ask.ts'
import { freshDatabase, noPostgres, type TestDatabase } from '../postgres/database.ts'
import { newerSchema } from './newer-schema.ts'

const DAY_MS = 86_400_000

describe.skipIf(noPostgres !== null)(`the schema on PostgreSQL (${noPostgres ?? 'is there'})`, () => {
  let database: TestDatabase
  const opened: PostgresStore[] = []
  beforeEach(async () => {
    database = await freshDatabase()
  })
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
    await database.drop()
  })
  const open = async (more: Partial<PostgresStoreOptions> = {}) => {
    const store = await openPostgresStore({ url: database.url, runtime: systemRuntime(), ...more })
    opened.push(store)
    return store
  }
  const partitions = async (table: 'rows' | 'attempts') => {
    const found = await ask<{ name: string }>(
      database.url,
      `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
       where inhparent = 'sluice.${table}'::regclass order by 1`,
    )
    return found.map(({ name }) => name)
  }

  describe('levels', () => {
    const own = MIGRATIONS.length

    it('sets an empty database up once, however many come at the same time', async () => {
      const stores = await Promise.all(Array.from({ length: 6 }, () => open()))
      const { job } = await stores[0]!.jobs.create(newJob())
      for (const store of stores) expect(await store.jobs.getByNo(job.jobNo)).toMatchObject({ id: job.id })
    })

    it('is migrated once by many at the same time, and never again', async () => {
      const steps = await Promise.all(Array.from({ length: 6 }, () => migratePostgres({ url: database.url })))
      expect(steps.toSorted()).toStrictEqual([0, 0, 0, 0, 0, own])
      expect(await migratePostgres({ url: database.url, migrations: newerSchema(1) })).toBe(1)
      expect(await migratePostgres({ url: database.url })).toBe(0)
    })

    it('refuses to work on a database that is behind, and says what to do', async () => {
      await open({ migrations: MIGRATIONS.slice(0, 1) })
      await expect(open()).rejects.toMatchObject({
        code: 'store_version',
        hint: expect.stringContaining('sluice migrate'),
      })
      await migratePostgres({ url: database.url })
      await open()
    })

    it('lets older code go on beside a step that it can work with, and opens it anew', async () => {
      const old = await open()
      await migratePostgres({ url: database.url, migrations: newerSchema(own) })
      const young = await open({ migrations: newerSchema(own) })
      await old.checkLevel()
      const { jobNo } = await queuedJob(await open(), [1])
      await completeChunk(old, await claim(old, jobNo, 0), [outcomeOf(0)])
      expect(await young.jobs.getByNo(jobNo)).toMatchObject({ state: 'finalizing' })
    })

    it('is migrated while others write, who never notice', async () => {
      const writers = [await open(), await open(), await open()]
      const { jobNo } = await queuedJob(writers[0]!, [60, 60, 60])
      const writing = writers.map(async (store, chunkNo) => {
        const held = await claim(store, jobNo, chunkNo)
        for (let row = chunkNo * 60; row < (chunkNo + 1) * 60; row += 1) await answerRows(store, held, [outcomeOf(row)])
        return await store.write((tx) => store.chunks.complete(tx, held, T))
      })
      expect(await migratePostgres({ url: database.url, migrations: newerSchema(own) })).toBe(1)
      expect((await Promise.all(writing)).toSorted()).toStrictEqual(['completed', 'completed', 'last'])
    })

    it('turns older code away from a step that it cannot work with', async () => {
      const old = await open()
      await migratePostgres({ url: database.url, migrations: newerSchema(own + 1) })
      await expect(old.checkLevel()).rejects.toMatchObject({ code: 'store_version' })
      await expect(open()).rejects.toMatchObject({ code: 'store_version', message: expect.stringContaining('newer') })
      await expect(migratePostgres({ url: database.url })).rejects.toMatchObject({ code: 'store_version' })
    })

    it('keeps to its own schema, beside others in the database', async () => {
      await ask(database.url, 'create table jobs (note text)')
      await ask(database.url, 'create table kysely_migration (note text)')
      await queuedJob(await open(), [1])
      expect(await ask(database.url, 'select * from public.jobs')).toStrictEqual([])
    })
  })

  describe('opening', () => {
    it.each([
      ['nobody listens', { port: '1' }],
      ['there is no such database', { pathname: '/nowhere' }],
      ['there is no such user', { username: 'nobody' }],
    ])('says that %s, and no password', async (_, change) => {
      const url = Object.assign(new URL(database.url), { password: 'hush', ...change })
      const refused = await open({ url: url.href }).catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'storage', hint: expect.stringContaining('SLUICE_DATABASE_URL') })
      expect(String((refused as Error).message)).not.toContain('hush')
    })

    it('refuses a database in another encoding', async () => {
      await ask(database.url, `create database latin encoding 'LATIN1' locale 'C' template template0`)
      const url = new URL(database.url)
      url.pathname = '/latin'
      await expect(open({ url: url.href })).rejects.toMatchObject({
        code: 'storage',
        message: expect.stringContaining('LATIN1'),
      })
      await ask(database.url, 'drop database latin with (force)')
    })

    it('names its connections, and bounds every wait of theirs', async () => {
      const store = await open({ version: '1.2.3', url: `${database.url}?options=-c%20work_mem%3D8MB` })
      const { rows: settings } = await sql<{
        name: string
        setting: string
      }>`select name, setting from pg_settings`.execute(store.reader)
      const value = (name: string) => settings.find((one) => one.name === name)?.setting
      expect(value('application_name')).toBe('sluice/1.2.3')
      for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'])
        expect(Number(value(name))).toBeGreaterThan(0)
      expect([value('search_path'), value('work_mem')]).toStrictEqual(['sluice', '8192'])
    })
  })

  describe('partitions', () => {
    it('are made for the weeks of jobs and for the months to come', async () => {
      const store = await open()
      await queuedJob(store, [1])
      const now = systemRuntime().now()
      expect(await partitions('rows')).toContain(rowsPartition(weekBucket(T)).name)
      for (const ahead of [0, 1, 2]) expect(await partitions('attempts')).toContain(attemptsPartition(now, ahead).name)
    })

    it('are made while others write, by several at once', async () => {
      const stores = [await open(), await open(), await open()]
      const { jobNo } = await queuedJob(stores[0]!, [50])
      const held = await claim(stores[0]!, jobNo, 0)
      const writing = Array.from({ length: 50 }, (_, row) => answerRows(stores[0]!, held, [outcomeOf(row)]))
      const making = Array.from({ length: 12 }, (_, n) =>
        stores[n % 3]!.jobs.create(newJob({ atMs: T + 60 * DAY_MS + Math.floor(n / 3) * 7 * DAY_MS })),
      )
      await Promise.all([...writing, ...making])
      expect(await partitions('rows')).toHaveLength(4 + 1 + 2)
    })

    it('are given to a large job of its own, with the lines that could not be read', async () => {
      const store = await open({ ownBucketRows: 3 })
      const line = { index: 0, chunkNo: 0, file: 'a.csv', line: 2, excerpt: 'x', message: 'torn' }
      const small = await queuedJob(store, [3])
      const large = await queuedJob(store, [4], {}, { unreadable: [line] })
      expect(await partitions('rows')).toContain(`rows_job_${large.jobNo}`)
      expect(await partitions('rows')).not.toContain(`rows_job_${small.jobNo}`)
      const rows = [1, 2, 3].map((row) => outcomeOf(row))
      expect(await completeChunk(store, await claim(store, large.jobNo, 0), rows)).toBe('last')
      expect((await store.rows.list(large.jobNo, 0, 9)).map((row) => row.cause)).toStrictEqual([
        'input_unreadable',
        null,
        null,
        null,
      ])
      expect(await ask(database.url, `select * from sluice.rows_job_${large.jobNo}`)).toHaveLength(4)
    })

    it('go as a whole when all their jobs are old, and not before', async () => {
      const store = await open({ ownBucketRows: 3 })
      const finish = async (rows: number) => {
        const job = await queuedJob(store, [rows])
        await completeChunk(
          store,
          await claim(store, job.jobNo, 0),
          Array.from({ length: rows }, (_, n) => outcomeOf(n)),
        )
        await store.write((tx) => store.jobs.change(tx, job.jobNo, ['finalizing'], { to: 'completed', atMs: T }))
        return job
      }
      const large = await finish(4)
      const small = await finish(1)
      const neighbour = await queuedJob(store, [1])
      const week = rowsPartition(weekBucket(T)).name
      const drop = () => store.upkeep.dropOld({ rowsBeforeMs: T + DAY_MS, attemptsBeforeMs: null })
      expect((await drop()).jobs).toStrictEqual([{ jobNo: large.jobNo, id: large.id }])
      expect(await partitions('rows')).not.toContain(`rows_job_${large.jobNo}`)
      expect(await partitions('rows')).toContain(week)
      await completeChunk(store, await claim(store, neighbour.jobNo, 0), [outcomeOf(0)])
      await store.write((tx) => store.jobs.change(tx, neighbour.jobNo, ['finalizing'], { to: 'completed', atMs: T }))
      expect((await drop()).jobs.map((job) => job.jobNo).toSorted()).toStrictEqual([small.jobNo, neighbour.jobNo])
      expect(await partitions('rows')).not.toContain(week)
      // The week comes back for the next job of that time.
      const late = await queuedJob(await open(), [1])
      await answerRows(store, await claim(store, late.jobNo, 0), [outcomeOf(0)])
    })

    it('of attempts go month by month', async () => {
      const store = await open()
      const now = systemRuntime().now()
      await queuedJob(store, [1])
      const month = attemptsPartition(now).name
      const all = await store.upkeep.dropOld({ rowsBeforeMs: null, attemptsBeforeMs: now + 40 * DAY_MS })
      expect(all.attempts).toBe(false)
      const [job] = await store.jobs.list(1, { limit: 1 })
      await store.write((tx) => store.jobs.change(tx, job!.jobNo, ['queued'], { to: 'cancelled', atMs: T }))
      expect((await store.upkeep.dropOld({ rowsBeforeMs: null, attemptsBeforeMs: now + 40 * DAY_MS })).attempts).toBe(
        true,
      )
      expect(await partitions('attempts')).not.toContain(month)
      await store.upkeep.prepare()
      expect(await partitions('attempts')).toContain(month)
    })

    it('take over what a wrong clock has sent ahead of its month', async () => {
      const store = await open()
      const { jobNo } = await queuedJob(store, [1])
      const held = await claim(store, jobNo, 0)
      // As it is before the janitor has made that month.
      const month = attemptsPartition(systemRuntime().now(), 2).name
      await ask(database.url, `drop table sluice.${month}`)
      const inTwoMonths = new Date()
      inTwoMonths.setUTCMonth(inTwoMonths.getUTCMonth() + 2, 15)
      const id = `${inTwoMonths.getTime().toString(16).padStart(12, '0').replace(/^.{8}/, '$&-')}-7000-8000-000000000001`
      await record(store, held, { intents: [intentOf(held, 0, { id })] })
      expect(await ask(database.url, 'select * from sluice.attempts_other')).toHaveLength(1)

      await open()
      expect(await partitions('attempts')).toContain(month)
      expect(await ask(database.url, `select * from sluice.${month}`)).toHaveLength(1)
      expect(await ask(database.url, 'select * from sluice.attempts_other')).toHaveLength(0)
      expect(await store.attempts.ofRow(jobNo, 0)).toMatchObject([{ id, state: 'open' }])
    })

    it('are not asked of a clock that is wrong', async () => {
      const runtime = { ...systemRuntime(), now: () => T + 400 * DAY_MS }
      await open({ runtime })
      expect(await partitions('attempts')).toContain(attemptsPartition(systemRuntime().now()).name)
      expect(await partitions('attempts')).not.toContain(attemptsPartition(T + 400 * DAY_MS).name)
    })

    it('take attempts of any time, known or not', async () => {
      const store = await open()
      const { jobNo } = await queuedJob(store, [2])
      const held = await claim(store, jobNo, 0)
      await answerRows(store, held, [outcomeOf(0), outcomeOf(1)])
      expect(nextId()).toMatch(/^018b/)
      expect(await ask(database.url, 'select * from sluice.attempts_other')).toHaveLength(2)
      expect(await store.chunks.appendSegment(segmentOf(jobNo, [1])).catch(() => 'refused')).toBe('refused')
    })
  })
})
