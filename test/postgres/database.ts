import { inject } from 'vitest'
import { ask, databaseOf, MIGRATED } from './ask.ts'

export { ask } from './ask.ts'

/** A database of one test. */
export interface TestDatabase {
  readonly url: string
  /** Drops it, whoever is still connected. */
  drop(): Promise<void>
}

const shared = inject('postgres')

/** Why PostgreSQL's suites cannot run here; `null`: they can. For `describe.skipIf` and the name of what is skipped. */
export const noPostgres: string | null = 'missing' in shared ? shared.missing : null

let made = 0

/** Makes a new, empty database, on the shared server or on another one. */
export function freshDatabase(server: string = sharedUrl()): Promise<TestDatabase> {
  return make(server, 'template0')
}

/** Makes a new database on the shared server that has the store's tables already: quicker than to migrate an empty one. */
export function migratedDatabase(): Promise<TestDatabase> {
  return make(sharedUrl(), MIGRATED)
}

async function make(server: string, template: string): Promise<TestDatabase> {
  made += 1
  const name = `test_${process.pid}_${made}`
  await ask(server, `create database ${name} template ${template}`)
  return Object.freeze({
    url: databaseOf(server, name),
    drop: async () => void (await ask(server, `drop database if exists ${name} with (force)`)),
  })
}

function sharedUrl(): string {
  if ('missing' in shared) throw new Error(shared.missing)
  return shared.url
}
