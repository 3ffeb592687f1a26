import type { Kysely } from 'kysely'
import type { KnownAttempt } from '../domain/attempt.ts'
import { ledgerOf } from '../domain/ledger.ts'
import { attemptOf, knownAttemptOf } from './attempt-record.ts'
import { uuidBytes } from './bytes.ts'
import type { StoreDatabase } from './database.ts'
import type { Attempts } from './role/attempts.ts'
import type { Costs } from './role/costs.ts'
import type { Database } from './schema.ts'

/** The ledger, read: by chunk, by row, and as a whole. */
export function attemptsRole(database: StoreDatabase, costs: Costs): Attempts {
  const { reader } = database
  const attempts = (jobNo: number) => reader.selectFrom('attempts').selectAll().where('job_no', '=', jobNo)
  return Object.freeze({
    async ofChunk({ jobNo, chunkNo }, round) {
      const rows = await attempts(jobNo)
        .where('chunk_no', '=', chunkNo)
        .where('round', '=', round)
        .orderBy('number')
        .execute()
      const byRow = new Map<number, KnownAttempt[]>()
      for (const row of rows) {
        const earlier = byRow.get(row.row_index)
        if (earlier === undefined) byRow.set(row.row_index, [knownAttemptOf(row)])
        else earlier.push(knownAttemptOf(row))
      }
      return byRow
    },

    async ofRow(jobNo, rowIndex) {
      const chunkNo = await chunkOfRow(reader, jobNo, rowIndex)
      if (chunkNo === null) return []
      const rows = await attempts(jobNo)
        .where('chunk_no', '=', chunkNo)
        .where('row_index', '=', rowIndex)
        .orderBy('id')
        .execute()
      return rows.map(attemptOf)
    },

    async tokensOf(jobNo, { from, to }) {
      const rows = await reader
        .selectFrom('attempts')
        .select(({ fn }) => [
          'row_index',
          'round',
          fn.sum<number>('cached_tokens').as('cached'),
          fn.sum<number>('cache_write_tokens').as('written'),
          fn.sum<number>('reasoning_tokens').as('reasoning'),
        ])
        .where('job_no', '=', jobNo)
        .where('chunk_no', '>=', from)
        .where('chunk_no', '<=', to)
        .where('state', '=', 'booked')
        .groupBy(['row_index', 'round'])
        .orderBy('row_index')
        .orderBy('round')
        .execute()
      return rows.map(({ row_index: rowIndex, round, cached, written, reasoning }) => ({
        rowIndex,
        round,
        cachedTokens: Number(cached),
        cacheWriteTokens: Number(written),
        reasoningTokens: Number(reasoning),
      }))
    },

    ledger: async (jobNo) => ledgerOf(await costs.ofJob(jobNo)),

    async list(jobNo, after, limit) {
      let query = attempts(jobNo).orderBy('chunk_no').orderBy('id').limit(limit)
      if (after !== null)
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple('chunk_no', 'id'), '>', tuple(after.chunkNo, uuidBytes(after.id))),
        )
      return (await query.execute()).map(attemptOf)
    },
  } satisfies Attempts)
}

/** The chunk that the row lies in; `null` when the job has no such row. */
async function chunkOfRow(db: Kysely<Database>, jobNo: number, rowIndex: number): Promise<number | null> {
  const chunk = await db
    .selectFrom('chunks')
    .select('chunk_no')
    .where('job_no', '=', jobNo)
    .where('first_row', '<=', rowIndex)
    .orderBy('first_row', 'desc')
    .limit(1)
    .executeTakeFirst()
  return chunk?.chunk_no ?? null
}
