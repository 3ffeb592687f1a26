import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { freshDatabase } from '../postgres/database.ts'
import { onlooker } from '../postgres/onlooker.ts'
import { queryDataDir, tellDataDir } from './query-data-dir.ts'

/** Where the state of a scenario lies, and how to look at it from beside. */
export interface BackEnd {
  /** What every `sluice` of the scenario finds in its environment. */
  readonly env: Readonly<Record<string, string>>
  /** Asks the store, as any process may. Nothing, where there are no tables yet. */
  query<T>(sql: string): Promise<readonly T[]>
  /** Changes the store from beside: for what nobody lives long enough to wait for. */
  tell(sql: string): Promise<void>
  close(): Promise<void>
}

/** Scenarios run once on each back end; vitest.config.ts says on which one this time. */
export const ON_POSTGRES = process.env.SLUICE_TEST_BACK_END === 'postgres'

/** The back end of this run of the scenarios, empty. `dir` is the scenario's own folder. */
export function openBackEnd(dir: string): Promise<BackEnd> {
  return ON_POSTGRES ? manyMachines(dir) : oneMachine(dir)
}

async function oneMachine(dir: string): Promise<BackEnd> {
  const dataDir = join(dir, 'data')
  return {
    env: { SLUICE_DATA_DIR: dataDir },
    query: async <T>(sql: string) => queryDataDir<T>(dataDir, sql),
    tell: async (sql) => tellDataDir(dataDir, sql),
    close: async () => undefined,
  }
}

const UNDEFINED_TABLE = '42P01'

async function manyMachines(dir: string): Promise<BackEnd> {
  const database = await freshDatabase()
  const pool = new pg.Pool({ ...onlooker(database.url), max: 2 })
  // A connection that the server hangs up on while it is idle says so here; the next query gets a new one.
  pool.on('error', () => undefined)
  return {
    env: { SLUICE_DATABASE_URL: database.url, SLUICE_BLOB_URL: pathToFileURL(join(dir, 'blob')).href },
    async query<T>(sql: string) {
      try {
        return (await pool.query(sql)).rows as readonly T[]
      } catch (error) {
        if ((error as { code?: string }).code === UNDEFINED_TABLE) return []
        throw error
      }
    },
    tell: async (sql) => void (await pool.query(sql)),
    async close() {
      await pool.end()
      await database.drop()
    },
  }
}
