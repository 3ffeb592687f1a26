import type { StoreDatabase } from './database.ts'
import type { Specs } from './role/specs.ts'
import { specVersions } from './spec-versions.ts'

/** Specs, each under the hash of its canonical JSON, and those that were published under their names. */
export function specsRole(database: StoreDatabase): Specs {
  return Object.freeze({
    ...specVersions(database),
    async put(tenantNo, hash, name, canonicalJson, atMs) {
      await database.write((tx) =>
        database
          .handle(tx)
          .insertInto('specs')
          .values({ tenant_no: tenantNo, hash, name, canonical_json: canonicalJson, created_at_ms: atMs })
          .onConflict((conflict) => conflict.columns(['tenant_no', 'hash']).doNothing())
          .execute(),
      )
    },
    async get(tenantNo, hash) {
      const spec = await database.reader
        .selectFrom('specs')
        .select('canonical_json')
        .where('tenant_no', '=', tenantNo)
        .where('hash', '=', hash)
        .executeTakeFirst()
      return spec?.canonical_json ?? null
    },
  } satisfies Specs)
}
