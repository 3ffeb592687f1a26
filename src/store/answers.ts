import type { StoreTx } from '../domain/store-tx.ts'
import type { StoredOutcome } from '../domain/stored.ts'
import { standingsOf } from './answer-sources.ts'
import { answerKey } from './bytes.ts'
import type { AnswerTake, StoreDatabase } from './database.ts'
import type { AnswerClaim, AnswerSource, Answers, AnswerWish } from './role/answers.ts'

/** Answers that rows of one tenant have paid for, found by the request's hash. They point at rows: an answer whose row is gone is none. */
export function answersRole(database: StoreDatabase): Answers {
  return Object.freeze({
    async find(tenantNo, scope, requestHashes) {
      const found = new Map<string, StoredOutcome>()
      const standings = await standingsOf(database.reader, tenantNo, keysOf(tenantNo, scope, requestHashes))
      for (const [hash, standing] of standings) if (standing.kind === 'answered') found.set(hash, standing.outcome)
      return found
    },
    async claim(tenantNo, scope, wishes) {
      if (wishes.length === 0) return new Map()
      return await database.write((tx) => claimAll(database, tx, tenantNo, scope, wishes))
    },
  } satisfies Answers)
}

/** Looks, and takes what is free; whoever is beaten to it looks again, and finds the other. */
async function claimAll(
  database: StoreDatabase,
  tx: StoreTx,
  tenantNo: number,
  scope: string,
  wishes: readonly AnswerWish[],
): Promise<ReadonlyMap<string, AnswerClaim>> {
  const claims = new Map<string, AnswerClaim>()
  const wished = new Map(wishes.map((wish) => [wish.requestHash, wish]))
  const open = keysOf(tenantNo, scope, wished.keys())
  const settle = (requestHash: string, claim: AnswerClaim) => {
    claims.set(requestHash, claim)
    open.delete(requestHash)
  }
  while (open.size > 0) {
    const standings = await standingsOf(database.handle(tx), tenantNo, open)
    const takes: (AnswerTake & { readonly requestHash: string })[] = []
    for (const [requestHash, key] of open) {
      const { by, over } = wished.get(requestHash) as AnswerWish
      const standing = standings.get(requestHash)
      const seen = standing?.source ?? null
      if (standing?.kind === 'held' && isSame(seen, by)) settle(requestHash, { kind: 'mine' })
      else if (standing === undefined || standing.kind === 'free' || isSame(over, seen) || isRenewed(seen, by))
        takes.push({ requestHash, key, by, seen })
      else settle(requestHash, standing)
    }
    for (const { requestHash } of await database.takeAnswers(tx, takes)) settle(requestHash, { kind: 'mine' })
  }
  return claims
}

function keysOf(tenantNo: number, scope: string, requestHashes: Iterable<string>): Map<string, Uint8Array> {
  return new Map(Array.from(requestHashes, (hash) => [hash, answerKey(tenantNo, scope, hash)]))
}

/** The row itself asks again, under a later claim of its chunk: it came back from a batch. */
function isRenewed(seen: AnswerSource | null, by: AnswerSource): boolean {
  return seen !== null && seen.epoch < by.epoch && isSame({ ...seen, epoch: by.epoch }, by)
}

function isSame(a: AnswerSource | null, b: AnswerSource | null): boolean {
  if (a === null || b === null) return false
  return a.jobNo === b.jobNo && a.chunkNo === b.chunkNo && a.epoch === b.epoch && a.rowIndex === b.rowIndex
}
