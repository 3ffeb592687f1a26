import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** Answers are claimed before they are there: by a chunk, under its epoch. And what reuse has saved is counted. */
export function reuse(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      for (const table of ['answers', 'answers_recent']) {
        for (const name of ['chunk_no', 'epoch']) {
          await db.schema
            .alterTable(table)
            .addColumn(name, types.int32, (column) => column.notNull().defaultTo(0))
            .execute()
        }
      }
      // They are looked through by whoever opens a chunk.
      await sql`create index answers_recent_key on answers_recent (answer_key)`.execute(db)
      for (const table of ['jobs', 'chunks']) {
        for (const name of SAVINGS) {
          await sql`alter table ${sql.table(table)} add column ${sql.ref(name)} ${sql.raw(types.int64)} not null default 0`.execute(
            db,
          )
        }
      }
    },
  }
}

const SAVINGS = ['cached_here', 'saved_input_tokens', 'saved_output_tokens', 'saved_nano']
