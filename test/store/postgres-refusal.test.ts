import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StorageFailure } from '../../src/domain/storage-failure.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { newJob } from '../conformance/store-fixture.ts'
import { ask } from '../postgres/ask.ts'
import { startCluster } from '../postgres/cluster.ts'
import { freshDatabase, migratedDatabase, noPostgres, type TestDatabase } from '../postgres/database.ts'

const open = (url: string) => openPostgresStore({ url, runtime: systemRuntime() })

/** A user of the database who has no rights but to connect. */
async function guest(database: TestDatabase): Promise<string> {
  const name = `guest_${process.pid}_${performance.now().toFixed(0)}`
  await ask(database.url, `create role ${name} login`)
  onTestFinished(async () => {
    await database.drop()
    await ask(url.href.replace(url.pathname, '/postgres').replace(`${name}@`, 'sluice@'), `drop role ${name}`)
  })
  const url = Object.assign(new URL(database.url), { username: name })
  return url.href
}

/** A server that says no to whoever comes, with this code and these words. */
async function refusing(code: string, words: string): Promise<string> {
  const fields = `SFATAL\0VFATAL\0C${code}\0M${words}\0\0`
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(4 + Buffer.byteLength(fields), 1)
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(Buffer.concat([head, Buffer.from(fields)])))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `postgres://user:hush@127.0.0.1:${address.port}/jobs`
}

describe('a database that does not let sluice in', () => {
  it.each([
    ['28P01', 'password authentication failed for user "user"', 'user and password'],
    ['3D000', 'database "jobs" does not exist', 'Create the database'],
    ['08P01', 'unsupported startup parameter: statement_timeout', 'PgBouncer'],
    ['53300', 'sorry, too many clients already', 'SLUICE_DATABASE_URL'],
  ])('%s: says what happened and what to do, and no password', async (code, words, hint) => {
    const url = await refusing(code, words)
    for (const attempt of [() => open(url), () => migratePostgres({ url })]) {
      const refused = await attempt().then(
        () => null,
        (error: unknown) => error,
      )
      expect(refused).toMatchObject({ code: 'storage', message: expect.stringContaining(words) })
      expect(refused).toMatchObject({ hint: expect.stringContaining(hint) })
      expect(`${(refused as Error).message}${(refused as { hint: string }).hint}`).not.toContain('hush')
    }
  })

  it('has an address that is none: says so, without the address', async () => {
    await expect(open('postgres://user:hush#hush@host/jobs')).rejects.toMatchObject({
      code: 'storage',
      message: 'SLUICE_DATABASE_URL is no address',
      hint: expect.stringContaining('%23'),
    })
  })
})

describe.skipIf(noPostgres !== null)(`a database where sluice may not work (${noPostgres ?? 'is there'})`, () => {
  const rights = { code: 'storage', hint: expect.stringContaining('sluice_queue') }

  it('is empty, and its user may make no schema there', async () => {
    const url = await guest(await freshDatabase())
    await expect(open(url)).rejects.toMatchObject(rights)
    await expect(migratePostgres({ url })).rejects.toMatchObject(rights)
  })

  it('is set up, by another user', async () => {
    await expect(open(await guest(await migratedDatabase()))).rejects.toMatchObject(rights)
  })

  it('is a standby: told to who comes, and waited out by who was there when it was the primary', async () => {
    const cluster = await startCluster()
    onTestFinished(() => cluster.remove())
    const store = await open(cluster.url)
    onTestFinished(() => store.close())
    await store.jobs.create(newJob())
    const [folder] = await ask<{ data_directory: string }>(cluster.url, 'show data_directory')
    await cluster.stop()
    await writeFile(join(folder?.data_directory ?? '', 'standby.signal'), '')
    await cluster.start()
    await expect(open(cluster.url)).rejects.toMatchObject({
      code: 'storage',
      hint: expect.stringContaining('primary'),
    })
    await expect(store.jobs.create(newJob())).rejects.toBeInstanceOf(StorageFailure)
    await ask(cluster.url, 'select pg_promote()')
    await store.jobs.create(newJob())
  })
})
