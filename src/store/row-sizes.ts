import { setImmediate } from 'node:timers/promises'
import { type Kysely, sql } from 'kysely'
import type { RowSizes } from '../domain/stored.ts'
import { rowsOf } from './rows-of-job.ts'
import type { Database } from './schema.ts'

/** Rows looked at between two turns of the event loop. */
const SCAN_ROWS = 10_000

/** The three leading digits of a row's tokens: some thousand sizes at the most, however many rows there are. */
const SIZE = sql<number>`case
  when input_tokens + output_tokens < 1000 then input_tokens + output_tokens
  when input_tokens + output_tokens < 10000 then (input_tokens + output_tokens) / 10 * 10
  when input_tokens + output_tokens < 100000 then (input_tokens + output_tokens) / 100 * 100
  when input_tokens + output_tokens < 1000000 then (input_tokens + output_tokens) / 1000 * 1000
  else (input_tokens + output_tokens) / 10000 * 10000 end`

/** Counts the rows of a job by their tokens, part by part. */
export async function countSizes(db: Kysely<Database>, jobNo: number): Promise<RowSizes> {
  const job = await db.selectFrom('jobs').select('rows_total').where('job_no', '=', jobNo).executeTakeFirstOrThrow()
  const sizes = new Map<number, { rows: number; tokens: number }>()
  for (let from = 0; from < job.rows_total; from += SCAN_ROWS) {
    const part = await rowsOf(db, jobNo)
      .select(SIZE.as('size'))
      .select((eb) => eb.fn.countAll<number>().as('rows'))
      .select(sql<number>`sum(input_tokens + output_tokens)`.as('tokens'))
      .where('row_index', '>=', from)
      .where('row_index', '<', from + SCAN_ROWS)
      .where(sql<boolean>`input_tokens + output_tokens > 0`)
      .groupBy('size')
      .execute()
    for (const { size, rows, tokens } of part) {
      const known = sizes.get(Number(size)) ?? { rows: 0, tokens: 0 }
      sizes.set(Number(size), { rows: known.rows + Number(rows), tokens: known.tokens + Number(tokens) })
    }
    await setImmediate()
  }
  return [...sizes].sort(([a], [b]) => b - a).map(([, counts]) => counts)
}
