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

/** Prepares an update that adds to the counters of one row; it takes them in the order of `Counters`, then the values of `key`. */
export function prepareCount(handle: DatabaseSync, table: 'jobs' | 'chunks', key: readonly string[]): StatementSync {
  const sums = COUNTER_COLUMNS.map(([, column]) => `${column} = ${column} + ?`).join(', ')
  return handle.prepare(`update ${table} set ${sums} where ${key.map((column) => `${column} = ?`).join(' and ')}`)
}
