import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DuckDBConnection } from '@duckdb/node-api'
import { processToken } from '../runtime.ts'

/** What DuckDB may use; it spills to disk beyond that. */
const MEMORY_LIMIT = '512MB'
const THREADS = '2'

/** One DuckDB database of our own. */
export interface DuckDb {
  readonly connection: DuckDBConnection
  close(): void
}

/**
 * Opens a database at `path` (`:memory:` for none). The native library is loaded here and nowhere else, by whoever needs it first. Nothing is
 * ever installed or loaded from the network; times are UTC. Relative paths in queries are relative to `baseDir`.
 */
export async function openDuckDb(path: string, baseDir: string | null = null): Promise<DuckDb> {
  const { DuckDBInstance } = await import('@duckdb/node-api')
  const instance = await DuckDBInstance.create(path, {
    memory_limit: MEMORY_LIMIT,
    threads: THREADS,
    temp_directory: join(tmpdir(), `sluice-duckdb-${processToken()}`),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  try {
    const connection = await instance.connect()
    if (baseDir !== null) await connection.run(`SET file_search_path = ${literal(baseDir)}`)
    return Object.freeze({
      connection,
      close() {
        connection.closeSync()
        instance.closeSync()
      },
    })
  } catch (error) {
    instance.closeSync()
    throw error
  }
}

/** Runs `work` on a database at `path`, which is closed behind it. */
export async function withDuckDb<T>(path: string, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const database = await openDuckDb(path)
  try {
    return await work(database.connection)
  } finally {
    database.close()
  }
}

/** A SQL string literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

/** A SQL identifier. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
