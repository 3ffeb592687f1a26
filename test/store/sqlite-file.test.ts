import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import { MIGRATIONS } from '../../src/store/migrations/index.ts'
import { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from '../../src/store/sqlite.ts'
import { answerRows, claim, newJob, outcomeOf, queuedJob } from '../conformance/store-fixture.ts'
import { newerSchema } from './newer-schema.ts'

let dir: string
let path: string
const opened: SqliteStore[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-file-'))
  path = join(dir, 'data', 'sluice.db')
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
  await rm(dir, { recursive: true })
})
const open = async (more: Partial<SqliteStoreOptions> = {}) => {
  const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 4_096, ...more })
  opened.push(store)
  return store
}

describe('opening', () => {
  it('makes the directory, and finds again what was written', async () => {
    const store = await open({ version: '1.2.3' })
    const { job } = await store.jobs.create(newJob())
    expect(job.version).toBe('1.2.3')
    await store.close()
    expect(await (await open()).jobs.getByNo(job.jobNo)).toStrictEqual(job)
  })

  it('makes every commit durable, in WAL mode', async () => {
    const store = await open()
    const pragma = (name: string) =>
      store.write(async (tx) => {
        const { rows } = await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(store.handle(tx))
        return Object.values(rows[0] ?? {})[0]
      })
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('foreign_keys')).toBe(1)
  })

  it('says that a file is no database', async () => {
    await mkdir(join(dir, 'data'))
    await writeFile(path, 'ticket_id,subject\n'.repeat(500))
    await expect(open()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('not a SQLite') })
    expect(await readFile(path, 'utf8')).toMatch(/^ticket_id/)
  })

  it('leaves the database of another program alone', async () => {
    await mkdir(join(dir, 'data'))
    const other = new DatabaseSync(path)
    other.exec('create table notes (text)')
    other.close()
    await expect(open()).rejects.toMatchObject({ code: 'storage', message: expect.stringContaining('another program') })
  })

  it('goes on beside a newer sluice as long as it can, and is turned away when it cannot', async () => {
    const own = MIGRATIONS.length
    const old = await open()
    const young = await open({ migrations: newerSchema(own) })
    const { job } = await young.jobs.create(newJob())
    await old.checkLevel()
    expect(await (await open()).jobs.getByNo(job.jobNo)).toStrictEqual(job)

    await open({ migrations: newerSchema(own, own + 1) })
    await expect(old.checkLevel()).rejects.toMatchObject({ code: 'store_version' })
    await expect(open()).rejects.toMatchObject({ code: 'store_version', message: expect.stringContaining('newer') })
  })

  it('says that a directory cannot be used', async () => {
    await writeFile(join(dir, 'data'), 'a file where the directory should be')
    await expect(open()).rejects.toMatchObject({ code: 'storage', hint: expect.stringContaining('--data-dir') })
  })

  it('says that the path is a directory', async () => {
    await mkdir(path, { recursive: true })
    await expect(open()).rejects.toMatchObject({ code: 'storage' })
  })
})

describe('beside others', () => {
  it('waits for another writer without blocking the event loop for long, and gives up as busy', async () => {
    const store = await open({ busyMs: 300 })
    const { job } = await store.jobs.create(newJob())
    const other = new DatabaseSync(path)
    other.exec('begin immediate')
    let turns = 0
    const turning = setInterval(() => {
      turns += 1
    }, 1)
    await expect(store.jobs.want(job.jobNo, 'pause')).rejects.toMatchObject({ name: 'StorageFailure', kind: 'busy' })
    clearInterval(turning)
    expect(turns).toBeGreaterThan(3)
    expect((await store.jobs.getByNo(job.jobNo))?.state).toBe('created')
    const waiting = store.jobs.want(job.jobNo, 'pause')
    other.exec('rollback')
    await waiting
    other.close()
    expect((await store.jobs.getByNo(job.jobNo))?.wanted).toBe('pause')
  })

  it('writes while another reads at length, who sees one state all the while', async () => {
    const store = await open()
    const { jobNo } = await queuedJob(store, [50])
    const held = await claim(store, jobNo, 0)
    await answerRows(store, held, [outcomeOf(0), outcomeOf(1)])
    const reader = new DatabaseSync(path, { readOnly: true })
    reader.exec('begin')
    const count = reader.prepare('select count(*) as n from rows')
    expect(count.get()).toMatchObject({ n: 2 })
    for (let row = 2; row < 50; row += 1) await answerRows(store, held, [outcomeOf(row)])
    expect(count.get()).toMatchObject({ n: 2 })
    reader.exec('commit')
    expect(count.get()).toMatchObject({ n: 50 })
    reader.close()
  })
})

describe('ballast', () => {
  it('takes up its room, gives it up, and takes it again', async () => {
    const store = await open({ ballastBytes: 100_000 })
    const size = () =>
      stat(join(dir, 'data', 'ballast')).then(
        (found) => found.size,
        () => null,
      )
    expect(await size()).toBe(100_000)
    await store.freeBallast()
    expect(await size()).toBeNull()
    await store.restoreBallast()
    expect(await size()).toBe(100_000)
  })
})
