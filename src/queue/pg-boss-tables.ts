import { type Kysely, sql } from 'kysely'
import type { StoreTx } from '../domain/store-tx.ts'

/** The schema that pg-boss has to itself, beside the store's tables. */
export const SCHEMA = 'sluice_queue'
/** The one queue of all tasks. */
export const QUEUE = 'sluice'
/** Where pg-boss lays down what has died too often. */
export const DEAD_QUEUE = 'sluice_dead'

/** How long a message stays with a worker that says nothing: the least that pg-boss allows. Workers say something every second. */
export const HEARTBEAT_S = 10
/** How often a message may die before it is a dead letter; chunks that kill their workers are given up long before. */
export const RETRY_LIMIT = 20

/**
 * For statements of our own on pg-boss's table, as pg-boss 12.38.0 writes them. The names stand in the text and not in parameters, so that partial
 * indexes are found.
 */
export const JOBS = sql.raw(`${SCHEMA}.job_common`)
export const NOW = sql.raw(`${SCHEMA}.job_now()`)
export const OURS = sql.raw(`name = '${QUEUE}'`)
export const TURN_OF = sql.raw(`(data->>'turn')::bigint`)
/** Who was not heard of while the server was down is not silent: its time begins with the server's. */
export const SILENT = sql.raw(
  `greatest(heartbeat_on, pg_postmaster_start_time()) + heartbeat_seconds * interval '1s' <= ${SCHEMA}.job_now()`,
)

/** The priority of ends of rounds, which go before all others. */
export const END = 3
/** In the text, as the index of ends asks for it. */
export const IS_END = sql.raw(`priority = ${END}`)

/** Messages by what they wait for, as columns. */
export const COUNTS = `
  count(*) filter (where state < 'active' and start_after <= ${SCHEMA}.job_now()) as ready,
  count(*) filter (where state < 'active' and start_after > ${SCHEMA}.job_now()) as delayed,
  count(*) filter (where state = 'active') as leased`

/** What the queue needs of the store's database, which must be PostgreSQL. */
export interface PgBossDatabase {
  readonly reader: Handle
  /** Runs one statement that waits for no transaction of this process. */
  aside<T>(statement: (db: Handle) => Promise<T>): Promise<T>
  handle(tx: StoreTx): Handle
  write<T>(work: (tx: StoreTx) => Promise<T>): Promise<T>
}

/** A handle of the database: statements are written out here, so it does not matter which tables it knows. */
export type Handle = Pick<Kysely<never>, 'getExecutor' | 'executeQuery'>

/** What a message carries in pg-boss's `data`. */
export interface MessageData {
  readonly task: string
  /** Its place in line among its tenant's messages of its priority (`turn.ts`). */
  readonly turn: number
  /** Where the line of tenants stood when it came (`tenant-turns.ts`). */
  readonly level: number
  /** What its tenant was charged when it was given out; absent: nothing yet. */
  readonly charged?: number
  /** Who holds it; while it waits, who held it last. */
  readonly worker?: string
}
