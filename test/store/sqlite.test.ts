import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { storeConformance } from '../conformance/store.ts'
import { addTenant, ageFleet } from '../conformance/store-fixture.ts'

storeConformance('sqlite', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-store-'))
  const opened: SqliteStore[] = []
  const open = async () => {
    const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime: systemRuntime(), ballastBytes: 4_096 })
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
      await rm(dir, { recursive: true })
    },
  }
})
