import type { Kysely, Selectable } from 'kysely'
import type { StoreDatabase } from './database.ts'
import type { NewSpecVersion, Specs, SpecVersion } from './role/specs.ts'
import type { Database } from './schema.ts'
import type { SpecVersionsTable } from './schema-service.ts'

/** Specs that were published under their names, each version of them for good. */
export function specVersions({ reader, write, handle }: StoreDatabase) {
  return {
    publish: (spec, onTopOf) => write((tx) => publishSpec(handle(tx), spec, onTopOf)),

    async version(tenantNo, name, version) {
      const ofName = versionsOf(reader, tenantNo, name)
      const row = await (version === null ? ofName : ofName.where('version', '=', version)).executeTakeFirst()
      return row === undefined ? null : versionOf(row)
    },

    async versions(tenantNo, name, { limit, before }) {
      const ofName = versionsOf(reader, tenantNo, name).limit(limit)
      return (await (before === undefined ? ofName : ofName.where('version', '<', before)).execute()).map(versionOf)
    },

    async published(tenantNo, { limit, after }) {
      const byName = reader
        .selectFrom('spec_versions as spec')
        .selectAll()
        .where('tenant_no', '=', tenantNo)
        .where('version', '=', ({ selectFrom, ref }) =>
          selectFrom('spec_versions as same')
            .select(({ fn }) => fn.max('same.version').as('latest'))
            .where('same.tenant_no', '=', tenantNo)
            .where('same.name', '=', ref('spec.name')),
        )
        .orderBy('name')
        .limit(limit)
      return (await (after === undefined ? byName : byName.where('name', '>', after)).execute()).map(versionOf)
    },
  } satisfies Partial<Specs>
}

/** The name's versions, newest first. */
function versionsOf(db: Kysely<Database>, tenantNo: number, name: string) {
  return db
    .selectFrom('spec_versions')
    .selectAll()
    .where('tenant_no', '=', tenantNo)
    .where('name', '=', name)
    .orderBy('version', 'desc')
}

async function publishSpec(
  db: Kysely<Database>,
  spec: NewSpecVersion,
  onTopOf: number | null,
): Promise<SpecVersion | null> {
  for (;;) {
    const latest = await versionsOf(db, spec.tenantNo, spec.name).limit(1).executeTakeFirst()
    if (onTopOf !== null && onTopOf !== (latest?.version ?? 0)) return null
    if (latest !== undefined && latest.hash === spec.hash) return versionOf(latest)
    const { tenantNo, name, hash, source, atMs } = spec
    const row = await db
      .insertInto('spec_versions')
      .values({ tenant_no: tenantNo, name, version: (latest?.version ?? 0) + 1, hash, source, created_at_ms: atMs })
      .onConflict((conflict) => conflict.columns(['tenant_no', 'name', 'version']).doNothing())
      .returningAll()
      .executeTakeFirst()
    // On PostgreSQL another may have published since: then its version is the latest.
    if (row !== undefined) return versionOf(row)
  }
}

function versionOf(row: Selectable<SpecVersionsTable>): SpecVersion {
  return {
    tenantNo: row.tenant_no,
    name: row.name,
    version: row.version,
    hash: row.hash,
    source: row.source,
    atMs: row.created_at_ms,
  }
}
