import { describe, expect, it } from 'vitest'
import { ask } from './ask.ts'
import { startCluster } from './cluster.ts'
import { freshDatabase, noPostgres } from './database.ts'

describe.skipIf(noPostgres !== null)(`PostgreSQL for tests (${noPostgres ?? 'is there'})`, () => {
  it('gives each a database of their own, and drops it', async () => {
    const [one, two] = [await freshDatabase(), await freshDatabase()]
    await ask(one.url, 'create table notes (text text)')
    await ask(two.url, 'create table notes (text text)')
    await one.drop()
    await two.drop()
    await expect(ask(one.url, 'select 1')).rejects.toMatchObject({ code: '3D000' })
  })

  it('can be stopped, crashed and started again with its data', async () => {
    const cluster = await startCluster()
    await ask(cluster.url, 'create table notes (text text)')
    await cluster.stop()
    await expect(ask(cluster.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/)
    await cluster.start()
    await ask(cluster.url, 'insert into notes values (1)')
    await cluster.crash()
    await cluster.start()
    await ask(cluster.url, 'select * from notes')
    await cluster.remove()
  })
})
