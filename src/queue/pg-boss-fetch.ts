import { sql } from 'kysely'
import { askedFor } from './pg-boss-messages.ts'
import { type Handle, JOBS, type MessageData, NOW, OURS, SCHEMA, TURN_OF } from './pg-boss-tables.ts'
import type { JobFilter } from './queue.ts'

/** A message as a fetch gives it out. */
export interface FetchedRow {
  readonly id: string
  readonly data: MessageData
  readonly group_id: string
  readonly retry_count: number
}

/**
 * Gives up to `limit` due messages to `worker`, inside the caller's transaction.
 *
 * This is the one statement that takes pg-boss's place, since its own fetch (`fetchNextJob` in dist/plans.js of 12.38.0) can neither be narrowed to
 * a job, nor say who holds a message, nor keep a tenant's cap exactly, nor be fair between jobs. Like that one it skips what others have locked,
 * sets `state`, `started_on` and `heartbeat_on`, and counts up `retry_count`, which fences off earlier holders. Other than that one
 *
 * - it notes the worker in `data`;
 * - it orders by turns (`turn.ts`) within a priority, along an index of ours: what would rather sort is switched off for the transaction, since the
 *   planner, which knows the table as it was a minute ago, at times takes all messages for one;
 * - it gives no tenant more than `tenants.max_chunks`. All fetches of the fleet come one after the other, by a lock that ends with the transaction:
 *   so none counts what another has just taken as free. They take a millisecond or two, and chunks last for seconds.
 */
export async function fetchMessages(
  db: Handle,
  { worker, limit, filter }: { readonly worker: string; readonly limit: number; readonly filter: JobFilter },
): Promise<readonly FetchedRow[]> {
  await sql`
    select pg_advisory_xact_lock(hashtextextended(${`${SCHEMA}.fetch`}, 0)),
      set_config('enable_sort', 'off', true), set_config('enable_incremental_sort', 'off', true)`.execute(db)
  const { rows } = await sql<FetchedRow>`
    with rooms as materialized (
      select t.tenant_no::text as group_id, t.max_chunks - (
        select count(*) from ${JOBS} where ${OURS} and state = 'active' and group_id = t.tenant_no::text
      ) as room
      from tenants t
      where t.max_chunks is not null
    ),
    next as (
      select id, group_id, priority, ${TURN_OF} as turn, created_on
      from ${JOBS}
      where ${OURS} and state < 'active' and not blocked and start_after <= ${NOW} ${askedFor(filter)}
        and group_id <> all (array(select group_id from rooms where room <= 0))
      order by priority desc, ${TURN_OF}, created_on
      limit ${limit}
      for update skip locked
    ),
    ranked as (
      select next.id, room, row_number() over (partition by group_id order by priority desc, turn, created_on) as place
      from next left join rooms using (group_id)
    ),
    taken as (
      update ${JOBS} j set
        state = 'active',
        started_on = ${NOW},
        heartbeat_on = ${NOW},
        retry_count = case when started_on is not null then retry_count + 1 else retry_count end,
        data = data || jsonb_build_object('worker', ${worker}::text)
      where ${OURS} and j.id = any (array(select id from ranked where room is null or place <= room))
      returning id, data, group_id, retry_count, priority, created_on
    )
    select id, data, group_id, retry_count from taken order by priority desc, ${TURN_OF}, created_on`.execute(db)
  return rows
}
