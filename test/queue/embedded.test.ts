import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
    return { queue: createEmbeddedQueue({ database, runtime: { now: () => now } }), write: database.write }
  }
  return {
    ...(await openAnother()),
    leaseMs: LEASE_MS,
    openAnother,
    async pass(ms) {
      now += ms
    },
    async close() {
      for (const database of opened) await database.close()
      await rm(dir, { recursive: true })
    },
  }
})
