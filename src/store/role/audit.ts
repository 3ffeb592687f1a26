import type { AuditEntry } from '../../domain/access.ts'

/** Who did what. Written once, never changed. */
export interface Audit {
  add(entry: AuditEntry): Promise<void>
  /** Of one tenant, `null`: of all; newest first. `before` continues behind a page by the number of its last entry. */
  list(
    tenantNo: number | null,
    page: { readonly limit: number; readonly before?: number; readonly subject?: string },
  ): Promise<readonly (AuditEntry & { readonly entryNo: number })[]>
}
