import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { COUNTER_COLUMNS } from './counters.ts'

/** Prepares an insert of one row with values for `columns`, in that order. */
export function prepareInsert(
  handle: DatabaseSync,
  table: string,
  columns: readonly string[],
  onConflict = '',
): StatementSync {
  const values = columns.map(() => '?').join(', ')
  return handle.prepare(`insert into ${table} (${columns.join(', ')}) values (${values}) ${onConflict}`)
}

const SUMS = COUNTER_COLUMNS.map(([, column]) => `${column} = ${column} + ?`).join(', ')

/** Prepares an update that adds to the counters of a job; it takes them in the order of `Counters`, then the job's number. */
export function prepareCountOfJob(handle: DatabaseSync): StatementSync {
  return handle.prepare(`update jobs set ${SUMS} where job_no = ?`)
}

/** The same for a chunk, which then takes the numbers of job and chunk. The deaths before a row's end are forgiven: it gets on. */
export function prepareCountOfChunk(handle: DatabaseSync): StatementSync {
  // The first four counters are those of ended rows.
  const deaths = 'deaths = iif(?1 + ?2 + ?3 + ?4 > 0, 0, deaths)'
  return handle.prepare(`update chunks set ${SUMS}, ${deaths} where job_no = ? and chunk_no = ?`)
}
