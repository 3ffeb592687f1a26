import { sql } from 'kysely'
import { addCounters } from '../domain/job.ts'
import { heldForParts } from './budget-holdings.ts'
import { countingChunks } from './chunk-record.ts'
import { countersOf, sumOfCounters } from './counters.ts'
import type { StoreDatabase } from './database.ts'
import type { Outlook } from './role/budgets.ts'
import { rowsOf } from './rows-of-job.ts'

/** Rows over which the variance is taken: the last ones, so that a job of millions is as quick to look at as one of thousands. */
const SAMPLE = 2_000

/** Where a job stands with its budget, all of one moment. */
export async function readOutlook({ reader }: StoreDatabase, jobNo: number): Promise<Outlook> {
  const snapshot = reader.transaction().setIsolationLevel('repeatable read')
  return await snapshot.execute(async (db) => {
    const job = await db
      .selectFrom('jobs')
      .selectAll('jobs')
      .select(heldForParts(db))
      .where('jobs.job_no', '=', jobNo)
      .executeTakeFirstOrThrow()
    const open = await db
      .selectFrom('chunks')
      .select(sumOfCounters)
      .where('job_no', '=', jobNo)
      .where('chunk_no', 'in', countingChunks(db, jobNo))
      .executeTakeFirstOrThrow()
    const grants = await db.selectFrom('budget_grants').selectAll().where('job_no', '=', jobNo).execute()
    const last = rowsOf(db, jobNo)
      .select([
        sql<number>`1.0 * coalesce(cost_nano, 0)`.as('nano'),
        sql<number>`1.0 * (input_tokens + output_tokens)`.as('tokens'),
      ])
      .orderBy('row_index', 'desc')
      .limit(SAMPLE)
    const seen = await db
      .selectFrom(last.as('last'))
      .select([
        sql<number>`avg(nano)`.as('nano'),
        sql<number>`avg(nano * nano)`.as('nano_squared'),
        sql<number>`avg(tokens)`.as('tokens'),
        sql<number>`avg(tokens * tokens)`.as('tokens_squared'),
      ])
      .executeTakeFirstOrThrow()
    const counters = addCounters(countersOf(job), countersOf(open))
    const sum = (of: (grant: (typeof grants)[number]) => number) => grants.reduce((all, grant) => all + of(grant), 0)
    return {
      set: { nano: job.budget_nano, tokens: job.budget_tokens },
      spent: { nano: counters.costNano, tokens: counters.inputTokens + counters.outputTokens },
      doubtful: {
        nano: job.doubt_nano + sum((grant) => grant.doubt_nano),
        tokens: job.doubt_tokens + sum((grant) => grant.doubt_tokens),
      },
      reserved: {
        nano: sum((grant) => Math.max(0, grant.left_nano)) + Number(job.held_nano ?? 0),
        tokens: sum((grant) => Math.max(0, grant.left_tokens)) + Number(job.held_tokens ?? 0),
      },
      rowsTotal: job.rows_total,
      rowsEnded: counters.succeeded + counters.failed + counters.skipped + counters.cancelled,
      variance: {
        nano: variance(seen.nano, seen.nano_squared),
        tokens: variance(seen.tokens, seen.tokens_squared),
      },
      stoppedAt:
        job.stopped_at_nano === null || job.stopped_at_tokens === null
          ? null
          : { nano: job.stopped_at_nano, tokens: job.stopped_at_tokens },
    }
  })
}

/** Averages arrive as text from PostgreSQL, and as nothing where there are no rows. */
function variance(mean: number | null, meanOfSquares: number | null): number {
  return Math.max(0, Number(meanOfSquares ?? 0) - Number(mean ?? 0) ** 2)
}
