import { type RawBuilder, sql } from 'kysely'
import type { JobAttempt } from 'pg-boss'
import {
  COUNTS,
  DEAD_QUEUE,
  type Handle,
  JOBS,
  type MessageData,
  NOW,
  OURS,
  SCHEMA,
  SILENT,
  TURN_OF,
} from './pg-boss-tables.ts'
import type { Holder, JobFilter, QueueTotal } from './queue.ts'

/** Whether a message is due, and whether one is held by a worker that has fallen silent. Takes no lock. */
export async function lookForWork(db: Handle, filter: JobFilter) {
  const ofJob = askedFor(filter)
  const { rows } = await sql<{ due: boolean; silent: boolean }>`
    select exists (
      select from ${JOBS} where ${OURS} and state < 'active' and not blocked and start_after <= ${NOW} ${ofJob}
    ) as due, exists (
      select from ${JOBS} where ${OURS} and state = 'active' and ${SILENT} ${ofJob}
    ) as silent`.execute(db)
  return rows[0] ?? { due: false, silent: false }
}

/** What goes on with a condition, so that only messages of these jobs come. */
export function askedFor({ jobNo, except = [], exceptTenants = [] }: JobFilter) {
  const only = jobNo === undefined ? sql`` : sql`and group_tier = ${String(jobNo)}`
  const without = except.length === 0 ? only : sql`${only} and group_tier <> all (${except.map(String)}::text[])`
  if (exceptTenants.length === 0) return without
  // The few tenants that are left are looked at, and not all messages of the others.
  return sql`${without} and group_id = any (array(
    select tenant_no::text from tenants where tenant_no <> all (${[...exceptTenants]}::bigint[])
  ))`
}

/** The turns that decide on the next one of a job: its own last, and where the line stands. */
export async function readTurns(
  db: Handle,
  { jobNo, tenantNo, priority }: { readonly jobNo: number; readonly tenantNo: number; readonly priority: number },
) {
  const ofTenant = sql`group_id = ${String(tenantNo)} and priority = ${priority}`
  const { rows } = await sql<{ last: number | null; front: number | null }>`
    select (
      select max(${TURN_OF}) from ${JOBS}
      where ${OURS} and state <= 'active' and group_tier = ${String(jobNo)} and priority = ${priority}
    ) as last, coalesce((
      select ${TURN_OF} from ${JOBS}
      where ${OURS} and state < 'active' and not blocked and start_after <= ${NOW} and ${ofTenant}
      order by ${TURN_OF} limit 1
    ), (
      select max(${TURN_OF}) from ${JOBS} where ${OURS} and state = 'active' and ${ofTenant}
    )) as front`.execute(db)
  const [turns] = rows
  return { last: numberOrNull(turns?.last), front: numberOrNull(turns?.front) }
}

/** The workers that hold messages, and whether one of them has not been heard of for too long. */
export async function readWorkers(db: Handle) {
  const { rows } = await sql<{ worker: string; silent: boolean }>`
    select data->>'worker' as worker, bool_or(${SILENT}) as silent
    from ${JOBS} where ${OURS} and state = 'active' group by 1`.execute(db)
  return rows
}

/**
 * Locks the messages of silent workers and of these ones, but for those that somebody is busy with just now, and those of whoever asks: it lives, and
 * renews its leases itself.
 */
export async function lockLost(
  db: Handle,
  { gone, asker }: { readonly gone: readonly string[]; readonly asker: string | null },
): Promise<readonly JobAttempt[]> {
  const { rows } = await sql<JobAttempt>`
    select id, retry_count as "retryCount"
    from ${JOBS} where ${OURS} and state = 'active' and (${SILENT} or data->>'worker' = any (${[...gone]}::text[]))
      and data->>'worker' is distinct from ${asker}::text
    order by id for update skip locked`.execute(db)
  return rows
}

/**
 * Renews the leases of these deliveries, by one statement; returns those that still hold their message. It is pg-boss's `touch` (`touchJobs` in
 * dist/plans.js of 12.38.0), but waits for nobody: a message that a transaction is busy with just now, which mostly completes it, is not touched, and
 * counts as held as long as its lease has not run out: after that, whoever is busy with it gives it to another. So one slow commit does not keep the
 * other leases of its worker from being renewed.
 */
export async function renewLeases(db: Handle, held: readonly JobAttempt[]): Promise<readonly JobAttempt[]> {
  const [ids, counts] = [held.map(({ id }) => id), held.map(({ retryCount }) => retryCount)]
  const { rows } = await sql<JobAttempt>`
    with held as materialized (
      select id, retry_count, ${SILENT} as silent from ${JOBS} join unnest(${ids}::uuid[], ${counts}::int[]) as given (id, retry_count) using (id, retry_count)
      where ${OURS} and state = 'active'
    ),
    free as materialized (
      select id from ${JOBS} where ${OURS} and state = 'active' and (id, retry_count) in (select id, retry_count from held)
      for update skip locked
    ),
    renewed as (update ${JOBS} set heartbeat_on = ${NOW} where ${OURS} and id in (select id from free))
    select id, retry_count as "retryCount" from held where not silent or id in (select id from free)`.execute(db)
  return rows
}

/** What a released message takes along. */
export async function readHeldMessage(db: Handle, id: string) {
  const { rows } = await sql<{ data: MessageData; priority: number }>`
    select data, priority from ${JOBS} where ${OURS} and state = 'active' and id = ${id}::uuid for update`.execute(db)
  return rows[0] ?? null
}

/** Deletes all of a job, whatever its state; its tenant is not charged for them. Returns how many of them somebody held. */
export async function deleteOfJob(db: Handle, jobNo: number): Promise<number> {
  const { rows } = await sql<{ held: number }>`
    with gone as (
      delete from ${JOBS} where ${ALL_OURS} and group_tier = ${String(jobNo)}
      returning state, group_id, (data->>'charged')::bigint as charged
    ),
    back as (
      insert into tenant_charges (tenant_no, charged, tokens, whole)
      select group_id::bigint, charged, 0, 0 from gone where charged > 0
    )
    select count(*) filter (where state = 'active') as held from gone`.execute(db)
  return Number(rows[0]?.held ?? 0)
}

/** Takes dead letters out, with what is left of them in the queue they came from. Returns the names of their tasks. */
export async function takeDeadLetters(db: Handle, limit: number): Promise<readonly string[]> {
  const { rows } = await sql<{ task: string }>`
    with dead as (
      delete from ${JOBS} where ${ofDead} and id in (
        select id from ${JOBS} where ${ofDead} order by created_on limit ${limit} for update skip locked
      )
      returning data->>'task' as task, source_id
    ),
    failed as (delete from ${JOBS} where ${OURS} and id in (select source_id from dead))
    select task from dead order by task`.execute(db)
  return rows.map((row) => row.task)
}

const ofDead = sql.raw(`name = '${DEAD_QUEUE}'`)
const ALL_OURS: RawBuilder<unknown> = sql`(${OURS} or ${ofDead})`

type Counts = Readonly<Record<'ready' | 'delayed' | 'leased', number>>

/** A job's messages by what they wait for. */
export async function readDepth(db: Handle, jobNo: number) {
  const { rows } = await sql<Counts & { next_due: number | null }>`
    select ${sql.raw(COUNTS)}, round(extract(epoch from
      min(start_after) filter (where state < 'active' and start_after > ${NOW})) * 1000) as next_due
    from ${JOBS} where ${OURS} and state <= 'active' and group_tier = ${String(jobNo)}`.execute(db)
  return { ...countsOf(rows[0]), nextDueMs: numberOrNull(rows[0]?.next_due) }
}

/** All messages by what they wait for. */
export async function readTotal(db: Handle): Promise<QueueTotal> {
  const { rows } = await sql<Counts & { oldest: number | null }>`
    select ready, delayed, leased, round(oldest_ready_s * 1000) as oldest from ${sql.raw(SCHEMA)}.backlog`.execute(db)
  return { ...countsOf(rows[0]), oldestReadyMs: numberOrNull(rows[0]?.oldest) }
}

/** Who holds how many messages, and since when. */
export async function readHolders(db: Handle): Promise<readonly Holder[]> {
  const { rows } = await sql<{ worker: string; messages: number; since: number }>`
    select data->>'worker' as worker, count(*) as messages, round(extract(epoch from min(started_on)) * 1000) as since
    from ${JOBS} where ${OURS} and state = 'active' group by 1 order by 1`.execute(db)
  return rows.map(({ worker, messages, since }) => ({ worker, messages: Number(messages), sinceMs: Number(since) }))
}

function countsOf(row: Counts | undefined) {
  return { ready: Number(row?.ready ?? 0), delayed: Number(row?.delayed ?? 0), leased: Number(row?.leased ?? 0) }
}

/** Sums of big numbers come as text. */
function numberOrNull(value: number | string | null | undefined): number | null {
  return value === null || value === undefined ? null : Number(value)
}
