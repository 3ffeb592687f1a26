import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import { askedFor, END } from './embedded-messages.ts'
import type { MessagesTable, QueueTables } from './embedded-tables.ts'
import type { Delivery, JobFilter } from './queue.ts'
import { taskOf } from './task-name.ts'
import { besideEnds, type Given, type MessagesOfTenant, mostEnds, serveTenants } from './tenant-line.ts'

/** A fetch by a worker. */
export interface Lease {
  readonly worker: string
  readonly limit: number
  readonly filter: JobFilter
  readonly now: number
  readonly until: number
}

type LeasedRow = Selectable<MessagesTable> & Given

/** Leases due messages: ends of rounds, and then by the tenants' turns, a tenant's highest priority first, then by its jobs' turns, a job's own in order. */
export async function leaseMessages(db: Kysely<QueueTables>, lease: Lease): Promise<readonly LeasedRow[]> {
  const { limit, filter } = lease
  // In the text, as the index of ends asks for it.
  const isEnd = due(lease)(db).where(sql<boolean>`priority = ${sql.lit(END)}`)
  const ends = await leaseThese(db, lease, isEnd.orderBy('message_no').limit(mostEnds(lease)), 0)
  const beside = {
    ...lease,
    filter: besideEnds(
      filter,
      ends.map((end) => end.tenant_no),
    ),
  }
  const others = (tenant: RawBuilder<unknown> | number) =>
    due(beside)(db).where('priority', '>', END).where('tenant_no', '=', sql<number>`${tenant}`)
  const messages: MessagesOfTenant = {
    nextLevel: (tenant) => sql`${inLine(others(tenant)).select('level').limit(1)}`,
    held: (tenant) =>
      sql`select count(*) from messages where worker is not null and tenant_no = ${tenant} and priority > ${END}`,
  }
  const chunks = await serveTenants(
    db,
    messages,
    { ...lease, limit: limit - ends.length },
    ({ tenantNo, messages, each }) => leaseThese(db, lease, inLine(others(tenantNo)).limit(messages), each),
  )
  return [...ends, ...chunks]
}

/** Messages that may be fetched now. */
function due({ now, filter }: Lease) {
  return (db: Kysely<QueueTables>) =>
    db.selectFrom('messages').where('worker', 'is', null).where('due_at_ms', '<=', now).where(askedFor(filter))
}

type Messages = ReturnType<ReturnType<typeof due>>

function inLine(messages: Messages): Messages {
  return messages.orderBy('priority').orderBy('turn').orderBy('message_no')
}

/** Leases these messages; those whose tenant was not charged yet are charged with `each`. */
async function leaseThese(
  db: Kysely<QueueTables>,
  { worker, now, until }: Lease,
  messages: Messages,
  each: number,
): Promise<readonly LeasedRow[]> {
  const next = await messages.selectAll().execute()
  const leased: LeasedRow[] = []
  for (const message of next) {
    const change = {
      worker,
      lease_until_ms: until,
      held_since_ms: now,
      receipt: message.receipt + 1,
      deliveries: message.deliveries + 1,
      charged: message.charged === 0 ? each : message.charged,
    }
    await db.updateTable('messages').set(change).where('message_no', '=', message.message_no).execute()
    leased.push({ ...message, ...change, isFirst: message.charged === 0 })
  }
  return leased
}

/** A leased message as it is given to its worker. */
export function deliveryOf(row: Selectable<MessagesTable>): Delivery {
  return {
    messageId: String(row.message_no),
    task: taskOf(row.task),
    tenantNo: row.tenant_no,
    receipt: String(row.receipt),
    deliveries: row.deliveries,
    charged: row.charged,
  }
}
