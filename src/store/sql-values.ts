import { type RawBuilder, sql } from 'kysely'

/** A column of a table of values, by what both databases call its type. */
type ValueType = 'text' | 'bigint'

/** `values (…), (…)` with a type for each column, which both databases name `column1`, `column2` and so on. There must be rows. */
export function valuesOf(
  types: readonly ValueType[],
  rows: readonly (readonly (string | number | null)[])[],
): RawBuilder<unknown> {
  const row = (values: readonly (string | number | null)[]) =>
    sql`(${sql.join(values.map((value, n) => sql`cast(${value} as ${sql.raw(types[n] ?? 'text')})`))})`
  return sql`values ${sql.join(rows.map(row))}`
}
