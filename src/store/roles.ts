import { answersRole } from './answers.ts'
import { attemptsRole } from './attempts.ts'
import { auditRole } from './audit.ts'
import { batchesRole } from './batches.ts'
import { budgetsRole } from './budgets.ts'
import { chunksRole } from './chunks.ts'
import { costsRole } from './costs.ts'
import type { StoreDatabase } from './database.ts'
import { eventsRole } from './events.ts'
import { filesRole } from './files.ts'
import { fleetRole } from './fleet.ts'
import { jobsRole } from './jobs.ts'
import { keysRole } from './keys.ts'
import { limitsRole } from './limits.ts'
import { checkLevel } from './migrate.ts'
import type { StoreMigration } from './migrations/index.ts'
import { openAiBatchesRole } from './openai-batches.ts'
import { outboxRole } from './outbox.ts'
import { requestsRole } from './requests.ts'
import type { Rows } from './role/rows.ts'
import { rowsRole } from './rows.ts'
import { specsRole } from './specs.ts'
import { tenantsRole } from './tenants.ts'

/** What a store is made from. */
export interface StoreParts {
  readonly database: StoreDatabase
  /** The database's own way of writing a group. */
  readonly record: Rows['record']
  /** UTC milliseconds. */
  readonly now: () => number
  /** The version of sluice, noted on the jobs it creates. */
  readonly version: string
  /** The schema's steps that this code knows. */
  readonly migrations: readonly StoreMigration[]
}

/** All roles of a store, the same over both databases. */
export function storeRoles({ database, record, now, version, migrations }: StoreParts) {
  const costs = costsRole(database)
  return {
    jobs: jobsRole(database, version),
    chunks: chunksRole(database, now),
    rows: rowsRole(database, record),
    attempts: attemptsRole(database, costs),
    costs,
    budgets: budgetsRole(database, now),
    batches: batchesRole(database),
    answers: answersRole(database),
    events: eventsRole(database),
    outbox: outboxRole(database),
    fleet: fleetRole(database),
    limits: limitsRole(database),
    specs: specsRole(database),
    tenants: tenantsRole(database),
    keys: keysRole(database),
    files: filesRole(database),
    requests: requestsRole(database),
    audit: auditRole(database),
    openAiBatches: openAiBatchesRole(database),
    checkLevel: () => checkLevel(database.reader, migrations),
    write: database.write,
    reader: database.reader,
    handle: database.handle,
  }
}
