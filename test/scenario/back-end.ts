import { join } from 'node:path'
import { freshDatabase } from '../postgres/database.ts'
import { openPostgresBackEnd } from './postgres-back-end.ts'
import { queryDataDir, tellDataDir } from './query-data-dir.ts'

/** Where the state of a scenario lies, and how to look at it from beside. */
export interface BackEnd {
  /** What every `sluice` of the scenario finds in its environment. */
  readonly env: Readonly<Record<string, string>>
  /** Asks the store, as any process may. Nothing, where there are no tables yet. */
  query<T>(sql: string): Promise<readonly T[]>
  close(): Promise<void>
}

/** One that a test can also change from beside: for what nobody lives long enough to wait for. */
interface OwnBackEnd extends BackEnd {
  tell(sql: string): Promise<void>
}

/** Scenarios run once on each back end; vitest.config.ts says on which one this time. */
export const ON_POSTGRES = process.env.SLUICE_TEST_BACK_END === 'postgres'

/** The back end of this run of the scenarios, empty. `dir` is the scenario's own folder. */
export function openBackEnd(dir: string): Promise<OwnBackEnd> {
  return ON_POSTGRES ? manyMachines(dir) : oneMachine(dir)
}

async function oneMachine(dir: string): Promise<OwnBackEnd> {
  const dataDir = join(dir, 'data')
  return {
    env: { SLUICE_DATA_DIR: dataDir },
    query: async <T>(sql: string) => queryDataDir<T>(dataDir, sql),
    tell: async (sql) => tellDataDir(dataDir, sql),
    close: async () => undefined,
  }
}

async function manyMachines(dir: string): Promise<OwnBackEnd> {
  const database = await freshDatabase()
  const backEnd = openPostgresBackEnd(database.url, dir)
  return {
    ...backEnd,
    tell: async (sql) => void (await backEnd.query(sql)),
    async close() {
      await backEnd.close()
      await database.drop()
    },
  }
}
