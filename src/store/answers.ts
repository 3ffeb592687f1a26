import type { StoredOutcome } from '../domain/stored.ts'
import { hashBytes, requestKey } from './bytes.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import { outcomeOf } from './outcome-record.ts'
import type { Answers } from './store.ts'

/** Answers that rows of one tenant have paid for, found by the request's hash. They point at rows: an answer whose row is gone is none. */
export function answersRole({ reader }: StoreDatabase): Answers {
  return Object.freeze({
    async find(tenantNo, scope, requestHashes) {
      const found = new Map<string, StoredOutcome>()
      const wanted = new Set(requestHashes)
      for (const part of inStatements([...wanted], 30)) {
        const rows = await reader
          .selectFrom('answers')
          .innerJoin('jobs', 'jobs.job_no', 'answers.job_no')
          .innerJoin('rows', (join) =>
            join
              .onRef('rows.bucket', '=', 'jobs.bucket')
              .onRef('rows.job_no', '=', 'answers.job_no')
              .on('rows.step', '=', 0)
              .onRef('rows.row_index', '=', 'answers.row_index'),
          )
          .selectAll('rows')
          .where('answers.tenant_no', '=', tenantNo)
          .where('jobs.tenant_no', '=', tenantNo)
          .where('answers.scope', '=', scope)
          .where(
            'answers.request_key',
            'in',
            part.map((hash) => requestKey(hashBytes(hash))),
          )
          .where('rows.state', '=', 'succeeded')
          .execute()
        for (const row of rows) {
          const outcome = outcomeOf(row)
          // The row may have been answered anew since, to another request.
          if (outcome.requestHash !== null && wanted.has(outcome.requestHash)) found.set(outcome.requestHash, outcome)
        }
      }
      return found
    },
  } satisfies Answers)
}
