import type { Migration } from 'kysely/migration'
import { firstTables } from './0001-first-tables.ts'
import { fleet } from './0002-fleet.ts'
import type { ColumnTypes } from './column-types.ts'

/** One step of the schema, and who may go on working beside it. */
export interface StoreMigration {
  /** Never changed or taken out once it was released: databases remember what they ran by it. */
  readonly name: string
  /** The lowest level of code that still works with a database that has this step. The level of a step is its place in the list, from 1. */
  readonly oldestLevel: number
  readonly make: (types: ColumnTypes) => Migration
}

/** All steps in order. The last one's place is the level of this code. */
export const MIGRATIONS: readonly StoreMigration[] = [
  { name: '0001_first_tables', oldestLevel: 1, make: firstTables },
  { name: '0002_fleet', oldestLevel: 1, make: fleet },
]
