import { type RawBuilder, sql } from 'kysely'
import { askedFor } from './pg-boss-messages.ts'
import { END, type Handle, IS_END, JOBS, type MessageData, NOW, OURS, SCHEMA, TURN_OF } from './pg-boss-tables.ts'
import type { JobFilter } from './queue.ts'
import { besideEnds, type Given, type MessagesOfTenant, mostEnds, serveTenants } from './tenant-line.ts'

/** A message as a fetch gives it out. */
export interface FetchedRow extends Given {
  readonly id: string
  readonly data: MessageData
  readonly group_id: string
  readonly retry_count: number
}

interface Fetch {
  readonly worker: string
  readonly limit: number
  readonly filter: JobFilter
}

/**
 * Gives up to `limit` due messages to `worker`, inside the caller's transaction.
 *
 * This takes pg-boss's place, since its own fetch (`fetchNextJob` in dist/plans.js of 12.38.0) can neither be narrowed to a job, nor say who holds a
 * message, nor keep a tenant's cap exactly, nor be fair between tenants and jobs. Like that one it skips what others have locked, sets `state`,
 * `started_on` and `heartbeat_on`, and counts up `retry_count`, which fences off earlier holders. Other than that one
 *
 * - it notes the worker in `data`, and what the tenant was charged;
 * - it goes by turns between tenants (`tenant-turns.ts`), and orders by turns (`turn.ts`) within a priority, along an index of ours: what would rather
 *   sort is switched off for the transaction, since the planner, which knows the table as it was a minute ago, at times takes all messages for one;
 * - it gives no tenant more than `tenants.max_chunks`. All fetches of the fleet come one after the other, by a lock that ends with the transaction:
 *   so none counts what another has just taken as free. They take a few milliseconds, and chunks last for seconds.
 */
export async function fetchMessages(db: Handle, fetch: Fetch): Promise<readonly FetchedRow[]> {
  await sql`
    select pg_advisory_xact_lock(hashtextextended(${`${SCHEMA}.fetch`}, 0)),
      set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)`.execute(db)
  const due = (filter: JobFilter) =>
    sql`${OURS} and state < 'active' and not blocked and start_after <= ${NOW} ${askedFor(filter)}`
  const isEnd = sql`${due(fetch.filter)} and ${IS_END}`
  const ends = await take(db, fetch, sql`${isEnd} order by created_on limit ${mostEnds(fetch)}`, 0)
  const beside = besideEnds(
    fetch.filter,
    ends.map((end) => Number(end.group_id)),
  )
  const inLine = (tenant: RawBuilder<unknown>, limit: number) =>
    sql`${due(beside)} and priority < ${sql.lit(END)} and group_id = ${tenant} order by ${LINE} limit ${limit}`
  const messages: MessagesOfTenant = {
    nextLevel: (tenant) =>
      sql`select coalesce((data->>'level')::bigint, 0) from ${JOBS} where ${inLine(sql`${tenant}::text`, 1)}`,
    held: (tenant) =>
      sql`select count(*) from ${JOBS} where ${OURS} and state = 'active' and group_id = ${tenant}::text and priority < ${sql.lit(END)}`,
  }
  const chunks = await serveTenants(db, messages, { ...fetch, limit: fetch.limit - ends.length }, (turn) =>
    take(db, fetch, inLine(sql`${String(turn.tenantNo)}`, turn.messages), turn.each),
  )
  return [...ends, ...chunks]
}

const LINE = sql`priority desc, ${TURN_OF}, created_on`

/** Takes the messages of a condition; those whose tenant was not charged yet are charged with `each`. */
async function take(
  db: Handle,
  { worker }: Fetch,
  condition: RawBuilder<unknown>,
  each: number,
): Promise<readonly FetchedRow[]> {
  const { rows } = await sql<FetchedRow>`
    with next as (
      select id, data->>'charged' as before from ${JOBS} where ${condition} for update skip locked
    ),
    taken as (
      update ${JOBS} j set
        state = 'active',
        started_on = ${NOW},
        heartbeat_on = ${NOW},
        retry_count = case when started_on is not null then retry_count + 1 else retry_count end,
        data = data || jsonb_build_object('worker', ${worker}::text, 'charged', coalesce((data->>'charged')::bigint, ${each}::bigint))
      where ${OURS} and j.id = any (array(select id from next))
      returning id, data, group_id, retry_count, priority, created_on
    )
    select id, data, group_id, retry_count, before is null as "isFirst"
    from taken join next using (id) order by ${LINE}`.execute(db)
  return rows
}
