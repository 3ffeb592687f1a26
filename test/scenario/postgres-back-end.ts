import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import pg from 'pg'
import { onlooker } from '../postgres/onlooker.ts'
import type { BackEnd } from './back-end.ts'

const UNDEFINED_TABLE = '42P01'

/** State in the PostgreSQL database at `url`, with its blobs in a folder of `dir`. To close it drops nothing. */
export function openPostgresBackEnd(url: string, dir: string): BackEnd {
  const pool = new pg.Pool({ ...onlooker(url), max: 2 })
  // A connection that the server hangs up on while it is idle says so here; the next query gets a new one.
  pool.on('error', () => undefined)
  return {
    env: { SLUICE_DATABASE_URL: url, SLUICE_BLOB_URL: pathToFileURL(join(dir, 'blob')).href },
    async query<T>(sql: string) {
      try {
        return (await pool.query(sql)).rows as readonly T[]
      } catch (error) {
        if ((error as { code?: string }).code === UNDEFINED_TABLE) return []
        throw error
      }
    },
    close: () => pool.end(),
  }
}
