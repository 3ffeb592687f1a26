import { join } from 'node:path'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { systemRuntime } from '../../src/runtime.ts'
import type { Store } from '../../src/store/store.ts'

/** A store and its queue, as one process has them open. */
export interface BackEnd {
  readonly store: Store
  readonly queue: Queue
}

/** Opens the store and queue of a place that several processes share: the URL of a PostgreSQL database, or a directory. */
export async function openBackEnd(place: string, leaseMs: number): Promise<BackEnd> {
  const runtime = systemRuntime()
  if (place.startsWith('postgres:')) {
    const { openPostgresStore } = await import('../../src/store/postgres.ts')
    const { createPgBossQueue } = await import('../../src/queue/pg-boss.ts')
    const store = await openPostgresStore({ url: place, runtime })
    return { store, queue: await createPgBossQueue({ database: store, url: place }) }
  }
  const { openSqliteStore } = await import('../../src/store/sqlite.ts')
  const store = await openSqliteStore({ path: join(place, 'sluice.db'), runtime, ballastBytes: 0 })
  return { store, queue: createEmbeddedQueue({ database: store, runtime, leaseMs }) }
}
