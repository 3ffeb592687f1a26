import { sql } from 'kysely'
import pg from 'pg'
import { PgBoss } from 'pg-boss'
import { COUNTS, DEAD_QUEUE, END, type Handle, HEARTBEAT_S, QUEUE, RETRY_LIMIT, SCHEMA } from './pg-boss-tables.ts'

/** Far above the longest chunk: a chunk's time is not the queue's business, its worker's heartbeat is. pg-boss allows less than a day. */
const EXPIRE_S = 23 * 3600
/** A message goes when its task is done, or its job is purged. */
const RETAIN_S = 10 * 365 * 86_400

/**
 * What a fetch and its order need: ends of rounds, each tenant's line by turns within each priority, and each job's messages. They lie on pg-boss's
 * table in its own schema, which is ours alone.
 */
const INDEXES = `
  drop index if exists ${SCHEMA}.sluice_line;
  create index if not exists sluice_ends on ${SCHEMA}.job_common (created_on)
    where name = '${QUEUE}' and state < 'active' and not blocked and priority = ${END};
  create index if not exists sluice_lines on ${SCHEMA}.job_common (group_id, priority desc, ((data->>'turn')::bigint), created_on)
    where name = '${QUEUE}' and state < 'active' and not blocked;
  create index if not exists sluice_job on ${SCHEMA}.job_common (group_tier, priority desc, ((data->>'turn')::bigint), created_on)
    where name = '${QUEUE}';`

/** What waits and what is held, in one row: for `total()`, and for those outside who decide how many workers there should be. */
const BACKLOG = `
  create or replace view ${SCHEMA}.backlog as select ${COUNTS},
    extract(epoch from max(${SCHEMA}.job_now() - start_after)
      filter (where state < 'active' and start_after <= ${SCHEMA}.job_now())) as oldest_ready_s
  from ${SCHEMA}.job_common where name = '${QUEUE}' and state <= 'active'`

/**
 * Creates pg-boss's schema and our queues in the database at `url`, or brings them up to this version. Safe to be called by many at once, and
 * when there is nothing to do.
 */
export async function migratePgBoss({ url }: { readonly url: string }): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'sluice migrate' })
  // The call that is under way, or the next one, says what it is.
  client.on('error', () => undefined)
  await client.connect()
  try {
    await client.query(`select pg_advisory_lock(hashtextextended('${SCHEMA}.migrate', 0))`)
    const boss = new PgBoss({
      db: { executeSql: (text, values) => client.query(text, values === undefined ? undefined : [...values]) },
      schema: SCHEMA,
      migrate: true,
      supervise: false,
      schedule: false,
      registerInstance: false,
    })
    // What goes wrong beside the call that is under way is said by that call; without a listener it would end the process.
    boss.on('error', () => undefined)
    try {
      await boss.start()
      await boss.createQueue(DEAD_QUEUE, { policy: 'standard', retentionSeconds: RETAIN_S })
      await client.query(INDEXES)
      await client.query(BACKLOG)
      // Last: where this is, everything is.
      await boss.createQueue(QUEUE, {
        policy: 'exclusive',
        deadLetter: DEAD_QUEUE,
        heartbeatSeconds: HEARTBEAT_S,
        retryLimit: RETRY_LIMIT,
        retryDelay: 0,
        retryBackoff: false,
        expireInSeconds: EXPIRE_S,
        retentionSeconds: RETAIN_S,
      })
    } finally {
      await boss.stop({ graceful: false })
    }
  } finally {
    await client.end()
  }
}

/** Sets the queue up where the database at `url`, which `reader` reads, has none at all. One of another version is left as it is. */
export async function ensurePgBoss({ url, reader }: { readonly url: string; readonly reader: Handle }): Promise<void> {
  const table = await sql<{ found: string | null }>`select to_regclass(${`${SCHEMA}.queue`})::text as found`.execute(
    reader,
  )
  if (table.rows[0]?.found) {
    const queue = await sql`select from ${sql.raw(SCHEMA)}.queue where name = ${QUEUE}`.execute(reader)
    if (queue.rows.length > 0) return
  }
  await migratePgBoss({ url })
}
