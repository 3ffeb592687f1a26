import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** What a batch of the OpenAI-compatible routes is asked of, by its callers' name, and for how long its files are kept. */
export function openAiFiles(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await db.schema.alterTable('openai_batches').addColumn('model', 'text').execute()
      await db.schema.alterTable('openai_batches').addColumn('files_kept_ms', types.int64).execute()
    },
  }
}
