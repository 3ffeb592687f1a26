import { setImmediate } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import { OUTCOME_STATES, type OutcomeState } from '../domain/row.ts'
import type { CauseCount, StoredOutcome } from '../domain/stored.ts'
import type { StoreDatabase } from './database.ts'
import { outcomeOf } from './outcome-record.ts'
import { reopenRows } from './reopen.ts'
import type { Rows } from './role/rows.ts'
import { countSizes } from './row-sizes.ts'
import { deadRowsOf, rowsOf } from './rows-of-job.ts'
import type { Database } from './schema.ts'

/** Rows looked at between two turns of the event loop, where a query must go over all of a job's. */
const SCAN_ROWS = 10_000

/** States whose rows have a cause, and so stand in the index over dead letters. */
const WITH_CAUSE: readonly OutcomeState[] = ['failed', 'cancelled']

/** Outcomes, read in row order. `record` is the database's own way of writing them. */
export function rowsRole(database: StoreDatabase, record: Rows['record']): Rows {
  const { reader, handle } = database
  return Object.freeze({
    record,

    async ended(jobNo, firstRow, rows) {
      const query = rowsOf(reader, jobNo).select('row_index')
      const ended = await query
        .where('row_index', '>=', firstRow)
        .where('row_index', '<', firstRow + rows)
        .execute()
      return new Set(ended.map((row) => row.row_index))
    },

    list: (jobNo, fromRow, limit, states, beforeRow) => listRows(reader, jobNo, fromRow, limit, states, beforeRow),
    get: (jobNo, rowIndex) => readRow(reader, jobNo, rowIndex),

    async byId(jobNo, rowId) {
      const row = await rowsOf(reader, jobNo).selectAll().where('row_id', '=', rowId).executeTakeFirst()
      if (row !== undefined) return outcomeOf(row)
      const index = Number(rowId)
      const byIndex = String(index) === rowId ? await readRow(reader, jobNo, index) : null
      return byIndex?.rowId === rowId ? byIndex : null
    },

    causes: (jobNo) => countCauses(reader, jobNo),
    sizes: (jobNo) => countSizes(reader, jobNo),
    dearest: (jobNo, limit) => findDearest(reader, jobNo, limit),
    reopen: (tx, jobNo, round, selection) => reopenRows(handle(tx), jobNo, round, selection),
  } satisfies Rows)
}

async function listRows(
  db: Kysely<Database>,
  jobNo: number,
  fromRow: number,
  limit: number,
  states: readonly OutcomeState[] = OUTCOME_STATES,
  beforeRow = Number.MAX_SAFE_INTEGER,
): Promise<readonly StoredOutcome[]> {
  if (states.length === 0) return []
  const rows = rowsOf(db, jobNo).selectAll().orderBy('row_index')
  if (!states.every((state) => WITH_CAUSE.includes(state))) {
    const within = rows.where('row_index', '>=', fromRow).where('row_index', '<', beforeRow)
    const page = within.where('state', 'in', states).limit(limit)
    return (await page.execute()).map(outcomeOf)
  }
  const within = deadRowsOf(db, jobNo).where('row_index', '>=', fromRow).where('row_index', '<', beforeRow)
  const dead = within.where('state', 'in', states)
  const page = rows.where('row_index', 'in', dead.select('row_index').orderBy('row_index').limit(limit))
  return (await page.execute()).map(outcomeOf)
}

async function readRow(db: Kysely<Database>, jobNo: number, rowIndex: number): Promise<StoredOutcome | null> {
  const row = await rowsOf(db, jobNo).selectAll().where('row_index', '=', rowIndex).executeTakeFirst()
  return row === undefined ? null : outcomeOf(row)
}

async function countCauses(db: Kysely<Database>, jobNo: number): Promise<readonly CauseCount[]> {
  const counts = await deadRowsOf(db, jobNo)
    .select((eb) => ['cause', eb.fn.countAll<number>().as('rows'), eb.fn.min('row_index').as('first')])
    .where('state', '=', 'failed')
    .groupBy('cause')
    .execute()
  const causes: CauseCount[] = []
  for (const { cause, rows, first } of counts) {
    const example = await readRow(db, jobNo, first)
    if (cause !== null && example !== null) causes.push({ cause, rows: Number(rows), example })
  }
  return causes.sort((a, b) => b.rows - a.rows || a.cause.localeCompare(b.cause))
}

/** Goes over the job's rows part by part: an index on the cost would be paid for by every row, for one list at the end. */
async function findDearest(db: Kysely<Database>, jobNo: number, limit: number) {
  const job = await db.selectFrom('jobs').select('rows_total').where('job_no', '=', jobNo).executeTakeFirstOrThrow()
  const candidates: { readonly index: number; readonly cost: number }[] = []
  for (let from = 0; from < job.rows_total; from += SCAN_ROWS) {
    const part = await rowsOf(db, jobNo)
      .select(['row_index as index', 'cost_nano as cost'])
      .where('row_index', '>=', from)
      .where('row_index', '<', from + SCAN_ROWS)
      .where('cost_nano', '>', 0)
      .orderBy('cost_nano', 'desc')
      .orderBy('row_index')
      .limit(limit)
      .execute()
    for (const { index, cost } of part) if (cost !== null) candidates.push({ index, cost })
    candidates.sort((a, b) => b.cost - a.cost || a.index - b.index)
    candidates.length = Math.min(candidates.length, limit)
    await setImmediate()
  }
  const rows: StoredOutcome[] = []
  for (const { index } of candidates) {
    const row = await readRow(db, jobNo, index)
    if (row !== null) rows.push(row)
  }
  return rows
}
