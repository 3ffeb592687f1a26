import { describe } from 'vitest'
import { systemRuntime } from '../../src/runtime.ts'
import { openPostgresStore, type PostgresStore } from '../../src/store/postgres.ts'
import { storeConformance } from '../conformance/store.ts'
import { addTenant, ageFleet } from '../conformance/store-fixture.ts'
import { migratedDatabase, noPostgres } from '../postgres/database.ts'

describe.skipIf(noPostgres !== null)(`PostgreSQL (${noPostgres ?? 'is there'})`, () => {
  storeConformance('postgres', async () => {
    const database = await migratedDatabase()
    const opened: PostgresStore[] = []
    const open = async () => {
      const store = await openPostgresStore({ url: database.url, runtime: systemRuntime() })
      opened.push(store)
      return store
    }
    const store = await open()
    return {
      store,
      openAnother: open,
      pass: (ms) => ageFleet(store, ms),
      addTenant: (tenantNo) => addTenant(store, tenantNo),
      async close() {
        for (const one of opened) await one.close()
        await database.drop()
      },
    }
  })
})
