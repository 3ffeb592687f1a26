import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { kindOf, newShard } from '../conformance/batches-fixture.ts'

/** As the governor names the account of openai/gpt-5-mini. */
const ACCOUNT = 'openai/gpt-5-mini at api.openai.com/v1 with OPENAI_API_KEY'

/** Writes down batches of an account of gpt-5-mini that came back after so long, in the database of a data directory. */
export async function earlierBatches(path: string, ...took: readonly number[]): Promise<void> {
  const store = await openSqliteStore({ path, runtime: systemRuntime(), version: 'test' })
  for (const ms of took) {
    const shard = await store.batches.plan(newShard([], { kind: { ...kindOf(), account: ACCOUNT } }), [])
    if (shard === null) throw new Error('nobody else is here')
    await store.batches.change(shard, { state: 'ended', submittedAtMs: 1, endedAtMs: 1 + ms })
  }
  await store.close()
}
