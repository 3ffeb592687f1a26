import { type Kysely, sql } from 'kysely'
import { createPgBossQueue, PG_LEASE_MS } from '../../src/queue/pg-boss.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres.ts'
import type { QueueUnderTest } from '../conformance/queue.ts'
import { freshDatabase } from '../postgres/database.ts'

/** A queue of pg-boss in a database of its own, whose clock goes on when a test says so. */
export interface PgBossUnderTest extends QueueUnderTest {
  readonly url: string
  readonly store: PostgresStore
  readonly db: Kysely<never>
}

/** Opens a fresh one. */
export async function openFreshPgBoss(): Promise<PgBossUnderTest> {
  const database = await freshDatabase()
  const opened: PostgresStore[] = []
  const openAnother = async () => {
    const store = await openPostgresStore({ url: database.url, runtime: systemRuntime() })
    opened.push(store)
    return { store, queue: await createPgBossQueue({ database: store, url: database.url }), write: store.write }
  }
  const first = await openAnother()
  const db = first.store.reader as unknown as Kysely<never>
  let passed = 0
  return {
    ...first,
    url: database.url,
    db,
    leaseMs: PG_LEASE_MS,
    openAnother,
    async setTenant(tenantNo, { weight = 1, maxChunks = null }) {
      await first.store.write(async (tx) => {
        await sql`insert into tenants (tenant_no, name, weight, max_chunks) values (${tenantNo}, ${`tenant ${tenantNo}`}, ${weight}, ${maxChunks})
          on conflict (tenant_no) do update set weight = excluded.weight, max_chunks = excluded.max_chunks`.execute(
          first.store.handle(tx),
        )
      })
    },
    async pass(ms) {
      passed += ms
      const body = `select pg_catalog.now() + interval '${passed} milliseconds'`
      await sql
        .raw(
          `create or replace function sluice_queue.job_now() returns timestamptz as $$ ${body} $$ language sql stable`,
        )
        .execute(db)
    },
    async close() {
      for (const store of opened) await store.close()
      await database.drop()
    },
  }
}
