import type { StoredOutcome } from '../../domain/stored.ts'

export interface Answers {
  /** Accepted answers for these request hashes in the scope of one tenant. A row that is gone is a miss. */
  find(tenantNo: number, scope: string, requestHashes: readonly string[]): Promise<ReadonlyMap<string, StoredOutcome>>
  /**
   * Claims requests for rows that are about to ask them, in one transaction: of all who claim a request, one gets it, and the others learn who has
   * it. At most one wish for each request. A claim stands while its row has no outcome and its chunk is leased under its epoch, or has something in
   * a batch that is not settled; the row itself renews it when its chunk is claimed again. A row that fails, and a chunk that is lost or given back
   * with nothing in a batch, free it. With the row's outcome it has become the answer; nothing needs to be written then.
   */
  claim(tenantNo: number, scope: string, wishes: readonly AnswerWish[]): Promise<ReadonlyMap<string, AnswerClaim>>
}

/** The row that a request's answer comes from, or is to come from, and the claim under which it asks. */
export interface AnswerSource {
  readonly jobNo: number
  readonly chunkNo: number
  readonly epoch: number
  readonly rowIndex: number
}

export interface AnswerWish {
  readonly requestHash: string
  readonly by: AnswerSource
  /** Take it over from this row, though it has an answer (that will not do) or still stands (though its worker is gone). `null`: from nobody. */
  readonly over: AnswerSource | null
}

/** What became of a wish: the row is the one to ask, the answer is there, or another row asks. */
export type AnswerClaim =
  | { readonly kind: 'mine' }
  | { readonly kind: 'answered'; readonly source: AnswerSource; readonly outcome: StoredOutcome }
  | { readonly kind: 'held'; readonly source: AnswerSource; readonly owner: string | null }
