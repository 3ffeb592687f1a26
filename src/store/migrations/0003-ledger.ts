import type { ColumnDefinitionBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { ColumnTypes } from './column-types.ts'

/** Tokens of all kinds and the price of each attempt, and the sums of the ledgers of jobs that are over. */
export function ledger(types: ColumnTypes): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await addToAttempts(db, types)
      await createPrices(db, types)
      await createJobCosts(db, types)
    },
  }
}

const required = (column: ColumnDefinitionBuilder) => column.notNull()
const zero = (column: ColumnDefinitionBuilder) => column.notNull().defaultTo(0)

async function addToAttempts(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema.alterTable('attempts').addColumn('cache_write_tokens', types.int64, zero).execute()
  await db.schema.alterTable('attempts').addColumn('reasoning_tokens', types.int64, zero).execute()
  await db.schema.alterTable('attempts').addColumn('price_no', types.int32).execute()
}

async function createPrices(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema
    .createTable('prices')
    .addColumn('price_no', types.int64, types.serial)
    .addColumn('price_hash', types.bytes, (column) => column.notNull().unique())
    .addColumn('input_nano', types.int64, required)
    .addColumn('output_nano', types.int64, required)
    .addColumn('cached_input_nano', types.int64)
    .addColumn('cache_write_nano', types.int64)
    .addColumn('lane_permille', types.int32, required)
    .addColumn('source', 'text', required)
    .modifyEnd(types.plain)
    .execute()
}

async function createJobCosts(db: Kysely<unknown>, types: ColumnTypes) {
  await db.schema.alterTable('jobs').addColumn('ledger_version', types.int64, zero).execute()
  await db.schema.alterTable('jobs').addColumn('costs_version', types.int64).execute()
  await db.schema
    .createTable('job_costs')
    .addColumn('job_no', types.int64, (column) => column.notNull().references('jobs.job_no'))
    .addColumn('part_no', types.int32, required)
    .addColumn('round', types.int32, required)
    .addColumn('day', types.int32, required)
    .addColumn('model', 'text', required)
    .addColumn('lane', 'text', required)
    .addColumn('state', 'text', required)
    .addColumn('cause', 'text')
    .addColumn('price_no', types.int32)
    .addColumn('attempts', types.int64, required)
    .addColumn('input_tokens', types.int64, required)
    .addColumn('cached_tokens', types.int64, required)
    .addColumn('cache_write_tokens', types.int64, required)
    .addColumn('output_tokens', types.int64, required)
    .addColumn('reasoning_tokens', types.int64, required)
    .addColumn('cost_nano', types.int64, required)
    .addColumn('unpriced', types.int64, required)
    .addPrimaryKeyConstraint('job_costs_pk', ['job_no', 'part_no'])
    .modifyEnd(types.clustered)
    .execute()
}
