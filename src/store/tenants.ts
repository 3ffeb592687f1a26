import { type Kysely, type Selectable, sql } from 'kysely'
import type { Tenant, TenantCaps } from '../domain/tenant.ts'
import { addAudit } from './audit.ts'
import type { StoreDatabase } from './database.ts'
import type { Tenants } from './role/tenants.ts'
import type { Database } from './schema.ts'
import type { TenantsTable } from './schema-service.ts'
import { CAP_COLUMN, type CapColumns, capsOf } from './tenant-caps.ts'

/** Tenants and their caps. */
export function tenantsRole({ reader, write, handle }: StoreDatabase): Tenants {
  const tenants = () => reader.selectFrom('tenants').selectAll()
  return Object.freeze({
    add: (name, caps, atMs, deed) =>
      write(async (tx) => {
        const tenant = await addTenant(handle(tx), name, caps, atMs)
        if (tenant !== null && deed !== undefined) await addAudit(handle(tx), { ...deed, tenantNo: tenant.tenantNo })
        return tenant
      }),

    async get(tenantNo) {
      const row = await tenants().where('tenant_no', '=', tenantNo).executeTakeFirst()
      return row === undefined ? null : tenantOf(row)
    },
    async byName(name) {
      const row = await tenants().where('name', '=', name).executeTakeFirst()
      return row === undefined ? null : tenantOf(row)
    },
    async list() {
      return (await tenants().orderBy('name').execute()).map(tenantOf)
    },

    set: (tenantNo, caps, deed) =>
      write(async (tx) => {
        const { numUpdatedRows } = await handle(tx)
          .updateTable('tenants')
          // So that there is something to set where no cap is given.
          .set({ name: sql`name`, ...columnsOf(caps) })
          .where('tenant_no', '=', tenantNo)
          .executeTakeFirstOrThrow()
        const changed = numUpdatedRows > 0n
        if (changed && deed !== undefined) await addAudit(handle(tx), { ...deed, tenantNo })
        return changed
      }),
  } satisfies Tenants)
}

async function addTenant(db: Kysely<Database>, name: string, caps: TenantCaps, atMs: number): Promise<Tenant | null> {
  // Changes nothing but locks the row that is always there: the number after the highest is then nobody else's.
  await db.updateTable('tenants').set({ name: sql`name` }).where('tenant_no', '=', 1).execute()
  const next = db.selectFrom('tenants').select(sql<number>`max(tenant_no) + 1`.as('next'))
  const row = await db
    .insertInto('tenants')
    .values({ max_chunks: null, ...columnsOf(caps), tenant_no: next, name, created_at_ms: atMs })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : tenantOf(row)
}

function columnsOf(caps: Partial<TenantCaps>): Partial<CapColumns> {
  const given = Object.entries(caps).filter(([, value]) => value !== undefined)
  return Object.fromEntries(given.map(([name, value]) => [CAP_COLUMN[name as keyof TenantCaps], value]))
}

function tenantOf(row: Selectable<TenantsTable>): Tenant {
  return { tenantNo: row.tenant_no, name: row.name, caps: capsOf(row) }
}
