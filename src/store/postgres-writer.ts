import { Kysely, PostgresDialect } from 'kysely'
import { StorageFailure } from '../domain/storage-failure.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { SluiceError } from '../errors.ts'
import type { Runtime } from '../runtime.ts'
import { isConflict } from './postgres-failure.ts'
import { kyselyClient, openSession, type Session, type SessionOptions } from './postgres-session.ts'
import type { Database } from './schema.ts'
import { createTurns, type During } from './turns.ts'

/** How often a transaction is run again that lost against another. */
const CONFLICT_TRIES = 8

/** How long the answer to a commit is asked for, when the connection broke over it. Then this process has to begin anew from what the database holds. */
const DOUBT_MS = 600_000

const ASK_EVERY_MS = 250

/**
 * Whatever is written is found by an index. A prepared statement keeps the plan that was made for it, which for a new table would be to go over
 * all of it: right for ten rows, ruinous for the million that come.
 */
const BY_INDEX = Object.freeze({ enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' })

/** The one write connection of a process behind its one mutex. */
export interface PostgresWriter {
  /**
   * One transaction, first come first served. Commits when `work` resolves, rolls back when it throws. Runs `work` again from its start after a
   * deadlock. When it rejects, nothing was committed; only `StorageFailure('closed')` leaves that open, after which the process must not go on.
   */
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
  /** The connection inside `tx`. Throws unless `tx` is the transaction that is open now. */
  session(tx: StoreTx): Session
  /** The same for Kysely. */
  handle(tx: StoreTx): Kysely<Database>
  /** Waits for the transactions that were asked for, then ends the connection. */
  close(): Promise<void>
}

type OpenSession = Awaited<ReturnType<typeof openSession>>

/** Opens no connection yet; one that breaks is replaced by the next transaction. */
export function postgresWriter(options: SessionOptions, runtime: Runtime): PostgresWriter {
  const turns = createTurns()
  const closing = new AbortController()
  let ended = false
  let open: OpenSession | null = null

  const connected = async (): Promise<OpenSession> => {
    if (ended) throw closed()
    if (open !== null && !open.lost) return open
    await open?.end()
    open = null
    open = await openSession({ ...options, settings: BY_INDEX })
    return open
  }
  const current = (): Session => {
    if (open === null) throw closed()
    return open
  }
  const handle = new Kysely<Database>({
    dialect: new PostgresDialect({
      pool: { options: {}, connect: async () => kyselyOver, end: async () => undefined },
    }),
  })
  const kyselyOver = kyselyClient(current, () => undefined)

  /** Whether the transaction was committed whose connection broke over its commit. */
  const wasCommitted = async (xid: string, failure: unknown): Promise<boolean> => {
    const since = runtime.elapsed()
    while (!closing.signal.aborted && runtime.elapsed() - since < DOUBT_MS) {
      const status = await connected()
        .then((session) => statusOf(session, xid))
        .catch((error: unknown) => {
          if (error instanceof StorageFailure) return 'unknown'
          throw error
        })
      if (status === 'committed') return true
      if (status === 'aborted') return false
      await runtime.sleep(ASK_EVERY_MS, closing.signal).catch(() => undefined)
    }
    throw new StorageFailure(
      'closed',
      'the connection broke over a commit, and nobody knows what became of it',
      failure,
    )
  }

  const transaction = async <T>(during: During, work: (tx: StoreTx) => Promise<T>): Promise<T> => {
    const session = await connected()
    const xid = await begin(session)
    let result: T
    try {
      result = await during(work)
    } catch (error) {
      if (!session.lost) await session.query('rollback').catch(() => session.end())
      throw error
    }
    try {
      const { command } = await session.query('commit')
      if (command === 'COMMIT') return result
    } catch (error) {
      if (!session.lost) throw error
      if (await wasCommitted(xid, error)) return result
      throw error
    }
    throw new SluiceError('internal', 'a transaction was to be committed of which a statement had failed')
  }

  return Object.freeze({
    write: <T>(work: (tx: StoreTx) => Promise<T>) =>
      turns.take(async (during) => {
        for (let tries = 1; ; tries += 1) {
          try {
            return await transaction(during, work)
          } catch (error) {
            if (!isConflict(error) || tries >= CONFLICT_TRIES) throw error
            await runtime.sleep(runtime.random() * 20 * tries)
          }
        }
      }),
    session(tx: StoreTx) {
      turns.assertOpen(tx)
      return current()
    },
    handle(tx: StoreTx) {
      turns.assertOpen(tx)
      return handle
    },
    async close() {
      closing.abort()
      await turns.settled()
      ended = true
      await open?.end()
      open = null
    },
  })
}

/** Begins and learns the transaction's number in one trip: it tells afterwards what became of a commit whose answer was lost. */
async function begin(session: Session): Promise<string> {
  const results = await session.query<{ xid: string }>(
    'begin isolation level read committed read write; select pg_current_xact_id()::text as xid',
  )
  // The driver gives one result for each statement of a text without values.
  const [, last] = results as unknown as readonly (typeof results)[]
  const xid = last?.rows[0]?.xid
  if (xid === undefined) throw new SluiceError('internal', 'PostgreSQL gave no number to a transaction')
  return xid
}

/** What became of a transaction. One that the database has never heard of is lost with all it held: another server has taken over. */
async function statusOf(session: Session, xid: string): Promise<string | null> {
  try {
    const { rows } = await session.query<{ status: string | null }>('select pg_xact_status($1::text::xid8) as status', [
      xid,
    ])
    return rows[0]?.status ?? null
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === INVALID_PARAMETER_VALUE) return 'aborted'
    throw error
  }
}

const INVALID_PARAMETER_VALUE = '22023'

function closed(): StorageFailure {
  return new StorageFailure('closed', 'the store is closed')
}
