import { type ExpressionBuilder, type RawBuilder, sql } from 'kysely'
import { type Counters, NO_COUNTS } from '../domain/job.ts'
import type { CounterColumns, Database } from './schema.ts'

type CounterColumn = keyof CounterColumns

/** The column of each counter, in the order of `Counters`. */
export const COUNTER_COLUMNS: readonly (readonly [keyof Counters, CounterColumn])[] = [
  ['succeeded', 'succeeded'],
  ['failed', 'failed'],
  ['skipped', 'skipped'],
  ['cancelled', 'cancelled'],
  ['cached', 'cached'],
  ['cachedHere', 'cached_here'],
  ['retried', 'retried'],
  ['fallback', 'fallback'],
  ['attempts', 'attempts'],
  ['inputTokens', 'input_tokens'],
  ['cachedTokens', 'cached_tokens'],
  ['outputTokens', 'output_tokens'],
  ['costNano', 'cost_nano'],
  ['unpriced', 'unpriced'],
  ['savedInputTokens', 'saved_input_tokens'],
  ['savedOutputTokens', 'saved_output_tokens'],
  ['savedNano', 'saved_nano'],
]

/** What a database says of a number: sums arrive as text from PostgreSQL, and as nothing where there are no rows. */
type Sum = number | string | null

/** The counters in a row of jobs or chunks; missing ones are 0. */
export function countersOf(row: { readonly [column in CounterColumn]?: Sum }): Counters {
  return countersFrom((column) => row[column])
}

/** The counters in the sums of `sumOfCountersBeside`. */
export function countersBeside(row: { readonly [column in `open_${CounterColumn}`]: Sum }): Counters {
  return countersFrom((column) => row[`open_${column}`])
}

function countersFrom(sumOf: (column: CounterColumn) => Sum | undefined): Counters {
  const counters = { ...NO_COUNTS } as Record<keyof Counters, number>
  for (const [key, column] of COUNTER_COLUMNS) counters[key] = Number(sumOf(column) ?? 0)
  return counters
}

/** The `set` clause that adds `delta` to the counters of the row that is updated; only what changes is written. */
export function plusCounters(delta: Counters): Partial<Record<CounterColumn, RawBuilder<number>>> {
  const changed = COUNTER_COLUMNS.filter(([key]) => delta[key] !== 0)
  return Object.fromEntries(changed.map(([key, column]) => [column, sql<number>`${sql.ref(column)} + ${delta[key]}`]))
}

/** The same counters with the opposite sign. */
export function negated(counters: Counters): Counters {
  const opposite = { ...counters } as Record<keyof Counters, number>
  for (const [key] of COUNTER_COLUMNS) opposite[key] = counters[key] === 0 ? 0 : -counters[key]
  return opposite
}

/** The sums of a job's open chunks, under names that a row of the job can have beside its own. */
export function sumOfCountersBeside(eb: ExpressionBuilder<Database, 'chunks'>) {
  return COUNTER_COLUMNS.map(([, column]) => eb.fn.sum<number>(column).as(`open_${column}`))
}

/** The sums of a job's open chunks, column by column. */
export function sumOfCounters(eb: ExpressionBuilder<Database, 'chunks'>) {
  return COUNTER_COLUMNS.map(([, column]) => eb.fn.sum<number>(column).as(column))
}
