import { type Expression, type ExpressionBuilder, type Kysely, type SqlBool, sql } from 'kysely'
import type { Priority } from '../domain/job.ts'
import type { QueueTables } from './embedded-tables.ts'
import type { Delivery, Holder, JobFilter, NewMessage, QueueTotal } from './queue.ts'
import { nameOf } from './task-name.ts'
import { correctCharge, readFront } from './tenant-line.ts'
import { nextTurn, TURN } from './turn.ts'

/** Messages that one statement inserts: a statement carries 32,766 values at the most. */
const INSERT_BATCH = 1_000

const PRIORITIES: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 }
/** The priority of ends of rounds, which go before all others. */
export const END = -1

/** Adds messages, each job's behind those it has; those whose task is there already stay as they are. */
export async function insertMessages(
  db: Kysely<QueueTables>,
  messages: readonly NewMessage[],
  now: number,
): Promise<void> {
  const groups = Map.groupBy(messages, (message) => `${priorityOf(message)}/${message.task.jobNo}`)
  for (const group of groups.values()) await insertOfJob(db, group, now)
}

function priorityOf({ task, priority }: NewMessage): number {
  return task.kind === 'finalize' ? END : PRIORITIES[priority]
}

/** Messages of one job and priority. */
async function insertOfJob(db: Kysely<QueueTables>, messages: readonly NewMessage[], now: number): Promise<void> {
  const first = messages[0] as NewMessage
  const jobNo = first.task.jobNo
  const { tenantNo } = first
  const priority = priorityOf(first)
  const turn = await turnOf(db, { jobNo, tenantNo, priority }, now)
  const level = await readFront(db)
  const rows = messages.map((message, n) => ({
    task: nameOf(message.task),
    job_no: jobNo,
    tenant_no: tenantNo,
    priority,
    due_at_ms: now + (message.delayMs ?? 0),
    turn: turn + n * TURN,
    level,
  }))
  for (let from = 0; from < rows.length; from += INSERT_BATCH) {
    await db
      .insertInto('messages')
      .values(rows.slice(from, from + INSERT_BATCH))
      .onConflict((conflict) => conflict.column('task').doNothing())
      .execute()
  }
}

/** Which of a tenant's lines a job's messages of a priority stand in. */
interface Place {
  readonly jobNo: number
  readonly tenantNo: number
  readonly priority: number
}

async function turnOf(db: Kysely<QueueTables>, { jobNo, tenantNo, priority }: Place, now: number): Promise<number> {
  const ofPriority = db.selectFrom('messages').where('tenant_no', '=', tenantNo).where('priority', '=', priority)
  const ofJob = ofPriority.where('job_no', '=', jobNo).orderBy('turn', 'desc').limit(1)
  const waiting = ofPriority.where('worker', 'is', null).where('due_at_ms', '<=', now).orderBy('turn').limit(1)
  const held = ofPriority.where('worker', 'is not', null).orderBy('turn', 'desc').limit(1)
  const [last, front] = [
    await ofJob.select('turn').executeTakeFirst(),
    (await waiting.select('turn').executeTakeFirst()) ?? (await held.select('turn').executeTakeFirst()),
  ]
  return nextTurn(last?.turn ?? null, front?.turn ?? null)
}

/** Whether a message waits that is due, or is held by a lease that ran out. */
export async function anyDue(db: Kysely<QueueTables>, now: number, filter: JobFilter): Promise<boolean> {
  const isAskedFor = askedFor(filter)
  const waiting = await db
    .selectFrom('messages')
    .select('message_no')
    .where('worker', 'is', null)
    .where('due_at_ms', '<=', now)
    .where(isAskedFor)
    .limit(1)
    .executeTakeFirst()
  if (waiting !== undefined) return true
  const expired = await db
    .selectFrom('messages')
    .select('message_no')
    .where('worker', 'is not', null)
    .where('lease_until_ms', '<=', now)
    .where(isAskedFor)
    .limit(1)
    .executeTakeFirst()
  return expired !== undefined
}

/** What goes on with a condition, so that only messages that are asked for come. */
export function askedFor({ jobNo, except = [], exceptTenants = [] }: JobFilter) {
  return (eb: ExpressionBuilder<QueueTables, 'messages'>): Expression<SqlBool> => {
    // The few tenants that are left are looked at, and not all messages of the others.
    const tenants = eb.selectFrom('tenants').select('tenant_no').where('tenant_no', 'not in', exceptTenants)
    return eb.and([
      ...(jobNo === undefined ? [] : [eb('job_no', '=', jobNo)]),
      ...(except.length === 0 ? [] : [eb('job_no', 'not in', except)]),
      ...(exceptTenants.length === 0 ? [] : [eb('messages.tenant_no', 'in', tenants)]),
    ])
  }
}

/** Frees the leases of these workers, and those that ran out. Returns how many. */
export async function freeLeases(db: Kysely<QueueTables>, workers: readonly string[], now: number): Promise<number> {
  const freed = await db
    .updateTable('messages')
    .set({ worker: null, lease_until_ms: null, held_since_ms: null })
    .where('worker', 'is not', null)
    .where((eb) => eb.or([eb('lease_until_ms', '<=', now), ...workers.map((worker) => eb('worker', '=', worker))]))
    .executeTakeFirstOrThrow()
  return Number(freed.numUpdatedRows)
}

/** The message of this delivery, as long as it is the latest one and its lease was not taken away. */
export function heldBy(delivery: Delivery) {
  return (eb: ExpressionBuilder<QueueTables, 'messages'>): Expression<SqlBool> =>
    eb.and([
      eb('message_no', '=', Number(delivery.messageId)),
      eb('receipt', '=', Number(delivery.receipt)),
      eb('worker', 'is not', null),
    ])
}

/**
 * Gives a held message back. It stands where it stood; one that is delayed goes behind its job's others, so that what is not to be worked on just
 * now does not come first again and again. `false`: the delivery holds it no more.
 */
export async function releaseMessage(
  db: Kysely<QueueTables>,
  delivery: Delivery,
  delayMs: number,
  now: number,
  tokens: number,
): Promise<boolean> {
  const freed = await db
    .updateTable('messages')
    .set({ worker: null, lease_until_ms: null, held_since_ms: null, due_at_ms: now + delayMs, deliveries: 0 })
    .set({ charged: 0 })
    .where(heldBy(delivery))
    .returning(['message_no', 'job_no', 'tenant_no', 'priority'])
    .executeTakeFirst()
  if (freed === undefined) return false
  await correctCharge(db, { ...delivery, tokens, isWhole: false })
  if (delayMs > 0) {
    const place = { jobNo: freed.job_no, tenantNo: freed.tenant_no, priority: freed.priority }
    const turn = await turnOf(db, place, now)
    await db.updateTable('messages').set({ turn }).where('message_no', '=', freed.message_no).execute()
  }
  return true
}

/** The workers that hold leases, and when the first lease of each runs out. */
export async function leasingWorkers(
  db: Kysely<QueueTables>,
): Promise<readonly { readonly worker: string; readonly earliestMs: number }[]> {
  const rows = await db
    .selectFrom('messages')
    .select((eb) => ['worker', eb.fn.min('lease_until_ms').as('earliest')])
    .where('worker', 'is not', null)
    .groupBy('worker')
    .execute()
  return rows.flatMap(({ worker, earliest }) => (worker === null ? [] : [{ worker, earliestMs: Number(earliest) }]))
}

/** A job's messages by what they wait for. */
export async function readDepth(db: Kysely<QueueTables>, jobNo: number, now: number) {
  const waits = sql<boolean>`worker is null`
  const row = await db
    .selectFrom('messages')
    .select([
      sql<number | null>`sum(case when ${waits} and due_at_ms <= ${now} then 1 else 0 end)`.as('ready'),
      sql<number | null>`sum(case when ${waits} and due_at_ms > ${now} then 1 else 0 end)`.as('delayed'),
      sql<number | null>`sum(case when ${waits} then 0 else 1 end)`.as('leased'),
      sql<number | null>`min(case when ${waits} and due_at_ms > ${now} then due_at_ms end)`.as('nextDueMs'),
    ])
    .where('job_no', '=', jobNo)
    .executeTakeFirstOrThrow()
  return {
    ready: Number(row.ready ?? 0),
    delayed: Number(row.delayed ?? 0),
    leased: Number(row.leased ?? 0),
    nextDueMs: row.nextDueMs === null ? null : Number(row.nextDueMs),
  }
}

/** All messages by what they wait for. */
export async function readTotal(db: Kysely<QueueTables>, now: number): Promise<QueueTotal> {
  const waits = sql<boolean>`worker is null`
  const row = await db
    .selectFrom('messages')
    .select((eb) => [
      sql<number | null>`sum(case when ${waits} and due_at_ms <= ${now} then 1 else 0 end)`.as('ready'),
      sql<number | null>`sum(case when ${waits} and due_at_ms > ${now} then 1 else 0 end)`.as('delayed'),
      eb.fn.count<number>('worker').as('leased'),
      sql<number | null>`min(case when ${waits} then due_at_ms end)`.as('oldest'),
    ])
    .executeTakeFirstOrThrow()
  const ready = Number(row.ready ?? 0)
  return {
    ready,
    delayed: Number(row.delayed ?? 0),
    leased: Number(row.leased),
    oldestReadyMs: ready === 0 ? null : now - Number(row.oldest),
  }
}

/** Who holds how many messages, and since when. */
export async function readHolders(db: Kysely<QueueTables>): Promise<readonly Holder[]> {
  const rows = await db
    .selectFrom('messages')
    .select((eb) => ['worker', eb.fn.countAll<number>().as('held'), eb.fn.min('held_since_ms').as('since')])
    .where('worker', 'is not', null)
    .groupBy('worker')
    .orderBy('worker')
    .execute()
  return rows.map(({ worker, held, since }) => ({
    worker: worker as string,
    messages: Number(held),
    sinceMs: Number(since),
  }))
}
