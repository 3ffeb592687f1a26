import type { TestProject } from 'vitest/node'
import { migratePostgres } from '../../src/store/postgres-migrate.ts'
import { ask, databaseOf, MIGRATED } from './ask.ts'
import { startCluster, whyNoCluster } from './cluster.ts'

/** What the tests are given of PostgreSQL: the URL of a server that all of them share, or why there is none. */
export type SharedPostgres = { readonly url: string } | { readonly missing: string }

declare module 'vitest' {
  interface ProvidedContext {
    postgres: SharedPostgres
  }
}

/** Starts one PostgreSQL for the whole run, and removes it afterwards. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const missing = await whyNoCluster()
  if (missing !== null) {
    process.stderr.write(`\nPostgreSQL's suites are skipped: ${missing}\n`)
    project.provide('postgres', { missing })
    return async () => undefined
  }
  const cluster = await startCluster()
  await ask(cluster.url, `create database ${MIGRATED}`)
  await migratePostgres({ url: databaseOf(cluster.url, MIGRATED) })
  project.provide('postgres', { url: cluster.url })
  return () => cluster.remove()
}
