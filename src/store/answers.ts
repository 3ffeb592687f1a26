import { type Kysely, sql } from 'kysely'
import type { StoredOutcome } from '../domain/stored.ts'
import { answerKey } from './bytes.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import { outcomeOf } from './outcome-record.ts'
import type { Answers } from './role/answers.ts'
import type { Database } from './schema.ts'

/** Answers that rows of one tenant have paid for, found by the request's hash. They point at rows: an answer whose row is gone is none. */
export function answersRole({ reader }: StoreDatabase): Answers {
  return Object.freeze({
    async find(tenantNo, scope, requestHashes) {
      const found = new Map<string, StoredOutcome>()
      const wanted = new Set(requestHashes)
      for (const part of inStatements([...wanted], 20)) {
        const keys = part.map((hash) => answerKey(tenantNo, scope, hash))
        for (const row of await rowsAnswering(reader, tenantNo, keys)) {
          const outcome = outcomeOf(row)
          // The row may have been answered anew since, to another request.
          if (outcome.requestHash !== null && wanted.has(outcome.requestHash)) found.set(outcome.requestHash, outcome)
        }
      }
      return found
    },
  } satisfies Answers)
}

/** The accepted rows under these keys, the latest last. */
async function rowsAnswering(db: Kysely<Database>, tenantNo: number, keys: readonly Uint8Array[]) {
  const settled = db
    .selectFrom('answers')
    .select(['job_no', 'row_index', sql<number>`0`.as('age')])
    .where('answer_key', 'in', keys)
  const recent = db
    .selectFrom('answers_recent')
    .select(['job_no', 'row_index', 'entry_no as age'])
    .where('answer_key', 'in', keys)
  return await db
    .selectFrom(settled.unionAll(recent).as('answer'))
    .innerJoin('jobs', 'jobs.job_no', 'answer.job_no')
    .innerJoin('rows', (join) =>
      join
        .onRef('rows.bucket', '=', 'jobs.bucket')
        .onRef('rows.job_no', '=', 'answer.job_no')
        .on('rows.step', '=', 0)
        .onRef('rows.row_index', '=', 'answer.row_index'),
    )
    .selectAll('rows')
    .where('jobs.tenant_no', '=', tenantNo)
    .where('rows.state', '=', 'succeeded')
    .orderBy('answer.age')
    .execute()
}
