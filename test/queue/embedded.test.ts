import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { createEmbeddedQueue, LEASE_MS } from '../../src/queue/embedded.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { queueConformance } from '../conformance/queue.ts'

queueConformance('embedded', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-queue-'))
  const opened: SqliteStore[] = []
  let now = 1_700_000_000_000
  const openAnother = async () => {
    const database = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime: systemRuntime(), ballastBytes: 0 })
    opened.push(database)
    const queue = createEmbeddedQueue({ database, runtime: { now: () => now } })
    return { queue, write: database.write, database }
  }
  const first = await openAnother()
  return {
    ...first,
    leaseMs: LEASE_MS,
    openAnother,
    async setTenant(tenantNo, { weight = 1, maxChunks = null }) {
      await first.database.write(async (tx) => {
        await sql`insert into tenants (tenant_no, name, weight, max_chunks) values (${tenantNo}, ${`tenant ${tenantNo}`}, ${weight}, ${maxChunks})
          on conflict (tenant_no) do update set weight = excluded.weight, max_chunks = excluded.max_chunks`.execute(
          first.database.handle(tx),
        )
      })
    },
    async pass(ms) {
      now += ms
    },
    async close() {
      for (const database of opened) await database.close()
      await rm(dir, { recursive: true })
    },
  }
})
