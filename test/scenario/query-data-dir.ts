import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Asks the store in a data directory, as any process may. Nothing, where there are no tables yet. */
export function queryDataDir<T>(dataDir: string, sql: string): readonly T[] {
  const path = join(dataDir, 'sluice.db')
  if (!existsSync(path)) return []
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
  try {
    return database.prepare(sql).all() as unknown as readonly T[]
  } catch (error) {
    // Before its first migration, or while that goes on.
    if (error instanceof Error && /no such table|unable to open|locked/.test(error.message)) return []
    throw error
  } finally {
    database.close()
  }
}
