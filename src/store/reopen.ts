import { type Expression, type ExpressionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import { addCounters, type Counters, NO_COUNTS } from '../domain/job.ts'
import { takeCountersBack } from './chunk-counters.ts'
import { negated, plusCounters } from './counters.ts'
import { inStatements } from './database.ts'
import type { RowSelection } from './role/rows.ts'
import { bucketOf, deadRowsOf } from './rows-of-job.ts'
import type { Database } from './schema.ts'

/** What a chunk loses when some of its rows are taken back. */
interface Loss {
  readonly chunkNo: number
  readonly rows: number
  readonly counters: Counters
}

/**
 * Takes back the failed and cancelled outcomes that match, all but those of unreadable lines, which no retry can mend. Their chunks are `ready`
 * in `round`; a chunk that had ended takes its counters back from the job until it ends again. What the rows' attempts used stays counted.
 */
export async function reopenRows(db: Kysely<Database>, jobNo: number, round: number, selection: RowSelection) {
  const losses = new Map<number, Loss>()
  for (const part of partsOf(selection)) {
    const matches = matching(db, jobNo, part)
    for (const loss of await lossesOf(db, matches)) losses.set(loss.chunkNo, plus(losses.get(loss.chunkNo), loss))
    await db.deleteFrom('rows').where(matches).execute()
  }
  const chunks = [...losses.values()].sort((a, b) => a.chunkNo - b.chunkNo)
  for (const chunk of chunks) await reopenChunk(db, jobNo, round, chunk)
  return { rows: chunks.reduce((sum, chunk) => sum + chunk.rows, 0), chunks: chunks.map((chunk) => chunk.chunkNo) }
}

type Matching = (eb: ExpressionBuilder<Database, 'rows'>) => Expression<SqlBool>

/** Long lists of ids and chunks, cut into what one statement may carry. An empty list matches nothing. */
function partsOf(selection: RowSelection): readonly RowSelection[] {
  const { causes, rowIds, chunkNos } = selection
  if (causes?.length === 0) return []
  const byRow =
    rowIds === undefined ? [selection] : inStatements(rowIds, 4).map((part) => ({ ...selection, rowIds: part }))
  if (chunkNos === undefined) return byRow
  return byRow.flatMap((some) => inStatements(chunkNos, 4).map((part) => ({ ...some, chunkNos: part })))
}

function matching(db: Kysely<Database>, jobNo: number, { causes, chunkNos, rowIds }: RowSelection): Matching {
  return (eb) => {
    const dead = deadRowsOf(db, jobNo).select('row_index').where('state', 'in', ['failed', 'cancelled'])
    const mendable = dead.where('cause', '<>', 'input_unreadable')
    const all: Expression<SqlBool>[] = [
      eb('bucket', '=', bucketOf(db, jobNo)),
      eb('job_no', '=', jobNo),
      eb('step', '=', 0),
      eb('row_index', 'in', causes === undefined ? mendable : mendable.where('cause', 'in', causes)),
    ]
    if (chunkNos !== undefined) all.push(eb('chunk_no', 'in', chunkNos))
    if (rowIds !== undefined) all.push(hasId(eb, rowIds))
    return eb.and(all)
  }
}

function hasId(eb: ExpressionBuilder<Database, 'rows'>, rowIds: readonly string[]): Expression<SqlBool> {
  const byId = eb('row_id', 'in', rowIds)
  const indices = rowIds.map(Number).filter((index, n) => String(index) === rowIds[n])
  if (indices.length === 0) return byId
  return eb.or([byId, eb.and([eb('row_id', 'is', null), eb('row_index', 'in', indices)])])
}

/** What `countsOfOutcome` had added for these rows, by chunk. */
async function lossesOf(db: Kysely<Database>, matches: Matching): Promise<readonly Loss[]> {
  const rows = await db
    .selectFrom('rows')
    .select((eb) => ['chunk_no', eb.fn.countAll<number>().as('rows'), eb.fn.sum<number>('fallback').as('fallback')])
    .select(sql<number>`sum(case when state = 'failed' then 1 else 0 end)`.as('failed'))
    .select(sql<number>`sum(case when attempts > 1 then 1 else 0 end)`.as('retried'))
    .where(matches)
    .groupBy('chunk_no')
    .execute()
  return rows.map((row) => {
    const [rowsLost, failed] = [Number(row.rows), Number(row.failed)]
    const lost = { failed, cancelled: rowsLost - failed, retried: Number(row.retried), fallback: Number(row.fallback) }
    return { chunkNo: row.chunk_no, rows: rowsLost, counters: negated({ ...NO_COUNTS, ...lost }) }
  })
}

function plus(a: Loss | undefined, b: Loss): Loss {
  if (a === undefined) return b
  return { chunkNo: a.chunkNo, rows: a.rows + b.rows, counters: addCounters(a.counters, b.counters) }
}

async function reopenChunk(db: Kysely<Database>, jobNo: number, round: number, loss: Loss): Promise<void> {
  const chunk = () => db.updateTable('chunks').where('job_no', '=', jobNo).where('chunk_no', '=', loss.chunkNo)
  const ended = await chunk()
    .set({ state: 'ready', owner: null, done_no: null })
    .where('done_no', 'is not', null)
    .executeTakeFirstOrThrow()
  if (ended.numUpdatedRows > 0n) {
    await db.updateTable('jobs').set({ open_chunks: sql`open_chunks + 1` }).where('job_no', '=', jobNo).execute()
  }
  await takeCountersBack(db, { jobNo, chunkNo: loss.chunkNo })
  await chunk()
    .set({ ...plusCounters(loss.counters), round, deaths: 0 })
    .execute()
}
