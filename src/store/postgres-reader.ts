import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely'
import pg from 'pg'
import { storageFailure } from './postgres-failure.ts'
import { clientConfig, kyselyClient, type SessionOptions, sessionOver } from './postgres-session.ts'
import type { Database } from './schema.ts'

/** Connections that read at the same time: heartbeats, chunks that are opened, and whoever looks on. */
const READERS = 4

/** Idle ones are given back, so that the machine's many sluices do not hold the server's connections. */
const IDLE_MS = 30_000

/** Reads outside of transactions, over a small pool. A connection that broke is replaced by the next read. */
export interface PostgresReader {
  readonly db: Kysely<Database>
  close(): Promise<void>
}

/** Opens no connection yet. */
export function postgresReader(options: SessionOptions): PostgresReader {
  const pool = new pg.Pool({ ...clientConfig(options), max: READERS, idleTimeoutMillis: IDLE_MS })
  // An idle connection that breaks leaves the pool by itself.
  pool.on('error', () => undefined)
  const clients = new WeakMap<pg.PoolClient, PostgresPoolClient>()
  const wrap = (client: pg.PoolClient): PostgresPoolClient => {
    const session = sessionOver(client)
    return kyselyClient(
      () => session,
      (broken) => client.release(broken || session.lost),
    )
  }
  const connect = async () => {
    const client = await pool.connect().catch((error: unknown) => {
      throw storageFailure(error) ?? error
    })
    const known = clients.get(client) ?? wrap(client)
    clients.set(client, known)
    return known
  }
  let ended: Promise<void> | null = null
  return Object.freeze({
    db: new Kysely<Database>({
      dialect: new PostgresDialect({ pool: { options: {}, connect, end: () => pool.end() } }),
    }),
    close() {
      ended ??= pool.end()
      return ended
    },
  })
}
