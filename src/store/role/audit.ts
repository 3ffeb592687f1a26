import type { AuditEntry } from '../../domain/access.ts'

/** What somebody does that changes a tenant, or something of it: written down in one transaction with the change, and not where nothing was changed. */
export type Deed = Omit<AuditEntry, 'tenantNo'>

/** Who did what. Written once, never changed. */
export interface Audit {
  add(entry: AuditEntry): Promise<void>
  /** Of one tenant, `null`: of all; newest first. `before` continues behind a page by the number of its last entry. */
  list(
    tenantNo: number | null,
    page: { readonly limit: number; readonly before?: number; readonly subject?: string },
  ): Promise<readonly (AuditEntry & { readonly entryNo: number })[]>
}
