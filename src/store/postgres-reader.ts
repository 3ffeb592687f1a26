import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely'
import pg from 'pg'
import { storageFailure } from './postgres-failure.ts'
import { clientConfig, kyselyClient, type SessionOptions, sessionOver } from './postgres-session.ts'
import type { Database } from './schema.ts'

/** Connections that read at the same time: chunks that are opened, wishes, and whoever looks on. */
const READERS = 4

/** Idle ones are given back, so that the machine's many sluices do not hold the server's connections. */
const IDLE_MS = 30_000

/** Statements outside of transactions, over a small pool. A connection that broke is replaced by the next statement. */
export interface PostgresReader {
  readonly db: Kysely<Database>
  close(): Promise<void>
}

/** Opens no connection yet, and never more than `connections`. */
export function postgresReader(options: SessionOptions, connections = READERS): PostgresReader {
  const pool = new pg.Pool({ ...clientConfig(options), max: connections, idleTimeoutMillis: IDLE_MS })
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
  // At once: a server that goes down may say so in the same breath in which it lets the connection in, and an error that nobody hears ends the process.
  pool.on('connect', (client) => void clients.set(client, wrap(client)))
  const connect = async () => {
    const client = await pool.connect().catch((error: unknown) => {
      throw storageFailure(error) ?? error
    })
    return clients.get(client) as PostgresPoolClient
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
