import type { PostgresPoolClient } from 'kysely'
import pg from 'pg'
import { SluiceError } from '../errors.ts'
import { storageFailure } from './postgres-failure.ts'
import { storable, VALUE_TYPES } from './postgres-values.ts'

/** Where our tables lie, apart from those of others in the same database. */
export const SCHEMA = 'sluice'

/** No statement of ours takes longer, with the locks it waits for; what might sets its own time. */
const STATEMENT_MS = 60_000

/** Longer than any transaction of ours holds a lock that others wait for. */
const LOCK_MS = 10_000

/** A process that stops in the middle of a transaction loses it after this: others wait for its locks. */
const IDLE_IN_TRANSACTION_MS = 10_000

/** Twice in the time of a lease: whoever waits for an answer that does not come must try again before others take its chunks. */
const CONNECT_MS = 4_000

/** Between quiet packets on a connection: whatever has gone without a word is found out. */
const KEEP_ALIVE_MS = 10_000

export interface SessionOptions {
  /** `postgres://user:password@host:port/database?sslmode=…` */
  readonly url: string
  readonly version: string
  /** Further settings of the session, as the server names them. */
  readonly settings?: Readonly<Record<string, string>>
  /** How long one statement may take, with its locks. @default 60_000 */
  readonly statementMs?: number
}

/** The driver's settings for connections of ours: each wait of theirs has an end. */
export function clientConfig({ url, version, settings, statementMs = STATEMENT_MS }: SessionOptions): pg.ClientConfig {
  const { connectionString, options } = withoutOptions(url)
  // Ours are short statements: to compile one, where the planner thinks it dear, takes a hundred times as long as to run it.
  const session = { search_path: SCHEMA, jit: 'off', ...settings }
  return {
    connectionString,
    application_name: `sluice/${version}`,
    types: VALUE_TYPES,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: statementMs,
    lock_timeout: LOCK_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    // The server's own time-out comes first, unless the way to it is cut.
    query_timeout: statementMs + CONNECT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    options: [options, ...Object.entries(session).map(([name, value]) => `-c ${name}=${value}`)].join(' ').trim(),
  }
}

/** The driver lets the URL's own `options` replace ours, rather than come before them. */
function withoutOptions(text: string): { readonly connectionString: string; readonly options: string } {
  if (!URL.canParse(text))
    throw new SluiceError('storage', 'SLUICE_DATABASE_URL is no address', {
      hint: 'It reads `postgres://user:password@host:port/database`; in a password, `#` is written %23, `/` %2F, `?` %3F, `@` %40 and `%` %25.',
    })
  const url = new URL(text)
  const options = url.searchParams.get('options') ?? ''
  url.searchParams.delete('options')
  return { connectionString: url.href, options }
}

/** One connection. What goes wrong with the database itself is thrown as `StorageFailure`. */
export interface Session {
  /** Runs one statement. With a `name` it is prepared once and kept. */
  query<R extends pg.QueryResultRow>(
    text: string,
    values?: readonly unknown[],
    name?: string,
  ): Promise<pg.QueryResult<R>>
  /** The connection is gone, or of no use any more. */
  readonly lost: boolean
}

/** What the session is made over: a client of a pool or one of its own. */
export function sessionOver(client: pg.ClientBase): Session {
  let lost = false
  const lose = () => {
    lost = true
  }
  client.on('error', lose)
  client.on('end', lose)
  return Object.freeze({
    async query<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[], name?: string) {
      try {
        const safe = values?.map(storable)
        return await client.query<R>({ text, ...(safe && { values: safe }), ...(name !== undefined && { name }) })
      } catch (error) {
        const failure = storageFailure(error)
        if (failure?.kind === 'io' || failure?.kind === 'closed') lost = true
        throw failure ?? error
      }
    },
    get lost() {
      return lost
    },
  })
}

/** Opens a connection of its own; `end` closes it and never rejects. */
export async function openSession(options: SessionOptions): Promise<Session & { end(): Promise<void> }> {
  const client = new pg.Client(clientConfig(options))
  const session = sessionOver(client)
  try {
    await client.connect()
  } catch (error) {
    await client.end().catch(() => undefined)
    throw storageFailure(error) ?? error
  }
  return Object.freeze({
    query: session.query,
    get lost() {
      return session.lost
    },
    end: () => client.end().catch(() => undefined),
  })
}

/** The session in the shape in which Kysely wants it; `release` is the caller's. */
export function kyselyClient(session: () => Session, release: (broken: boolean) => void): PostgresPoolClient {
  const query = (text: string, parameters: readonly unknown[]) => session().query(text, parameters)
  return { query, release } as unknown as PostgresPoolClient
}
