import type { StoredOutcome } from '../../domain/stored.ts'

export interface Answers {
  /** Accepted answers for these request hashes in the scope of one tenant. A row that is gone is a miss. */
  find(tenantNo: number, scope: string, requestHashes: readonly string[]): Promise<ReadonlyMap<string, StoredOutcome>>
}
