import type { Kysely } from 'kysely'
import type { AuditEntry } from '../domain/access.ts'
import type { StoreDatabase } from './database.ts'
import type { Audit } from './role/audit.ts'
import type { Database } from './schema.ts'

/** Who did what, in the order in which it was written. */
export function auditRole({ reader, write, handle }: StoreDatabase): Audit {
  return Object.freeze({
    add: (entry) => write((tx) => addAudit(handle(tx), entry)),

    async list(tenantNo, { limit, before, subject }) {
      const rows = await reader
        .selectFrom('audit')
        .selectAll()
        .$if(tenantNo !== null, (query) => query.where('tenant_no', '=', tenantNo))
        .$if(before !== undefined, (query) => query.where('entry_no', '<', before ?? 0))
        .$if(subject !== undefined, (query) => query.where('subject', '=', subject ?? ''))
        .orderBy('entry_no', 'desc')
        .limit(limit)
        .execute()
      return rows.map(({ entry_no, tenant_no, actor, action, subject, detail, at_ms }) => ({
        entryNo: entry_no,
        tenantNo: tenant_no,
        actor,
        action,
        subject,
        detail,
        atMs: at_ms,
      }))
    },
  } satisfies Audit)
}

/** Writes an entry down, in the transaction of what it tells of. */
export async function addAudit(db: Kysely<Database>, entry: AuditEntry): Promise<void> {
  const { tenantNo, actor, action, subject, detail, atMs } = entry
  await db.insertInto('audit').values({ tenant_no: tenantNo, actor, action, subject, detail, at_ms: atMs }).execute()
}
