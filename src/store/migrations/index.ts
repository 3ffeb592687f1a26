import type { Migration } from 'kysely/migration'
import { firstTables } from './0001-first-tables.ts'
import { fleet } from './0002-fleet.ts'
import { ledger } from './0003-ledger.ts'
import { budget } from './0004-budget.ts'
import { reuse } from './0005-reuse.ts'
import { limits } from './0006-limits.ts'
import { batches } from './0007-batches.ts'
import { routes } from './0008-routes.ts'
import { outbox } from './0009-outbox.ts'
import { service } from './0010-service.ts'
import { shares } from './0011-shares.ts'
import { openAiFiles } from './0012-openai-files.ts'
import { outboxLines } from './0013-outbox-lines.ts'
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
  // An older worker would book late without saying so, and the kept sums of that job would no longer be its ledger.
  { name: '0003_ledger', oldestLevel: 3, make: ledger },
  // An older worker would send what no budget has room for.
  { name: '0004_budget', oldestLevel: 4, make: budget },
  // An older worker would ask what another is asking.
  { name: '0005_reuse', oldestLevel: 5, make: reuse },
  { name: '0006_limits', oldestLevel: 1, make: limits },
  // An older worker would ask rows that are out in a batch, and draw what is held for them.
  { name: '0007_batches', oldestLevel: 7, make: batches },
  // An older worker would pack what the deadline wants asked live.
  { name: '0008_routes', oldestLevel: 8, make: routes },
  // An older worker would end a job and tell nobody.
  { name: '0009_outbox', oldestLevel: 9, make: outbox },
  // An older worker would take a message that asks it to read an input, and not know what that is.
  { name: '0010_service', oldestLevel: 10, make: service },
  // An older worker would begin jobs whose tenant runs as many as it may.
  { name: '0011_shares', oldestLevel: 11, make: shares },
  // An older worker would write files that stay, where their batch wants them gone in time.
  { name: '0012_openai_files', oldestLevel: 12, make: openAiFiles },
  { name: '0013_outbox_lines', oldestLevel: 1, make: outboxLines },
]
