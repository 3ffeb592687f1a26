import { type Kysely, type Selectable, sql } from 'kysely'
import type { StoreDatabase } from './database.ts'
import type { Events, StoredEvent } from './role/events.ts'
import type { Database } from './schema.ts'

/** Durable events, numbered without gaps under their job's row. */
export function eventsRole(database: StoreDatabase): Events {
  return Object.freeze({
    append: (tx, jobNo, type, data, atMs) => appendEvent(database.handle(tx), jobNo, type, data, atMs),
    async told(tx, jobNo, type) {
      const db = database.handle(tx)
      // Changes nothing, and holds the row by which the job's events are numbered.
      await db.updateTable('jobs').set({ event_seq: sql`event_seq` }).where('job_no', '=', jobNo).execute()
      return (await eventsOf(db, jobNo).where('type', '=', type).execute()).map(eventOf)
    },
    async list(jobNo, afterSeq, limit) {
      const events = await eventsOf(database.reader, jobNo).where('seq', '>', afterSeq).limit(limit).execute()
      return events.map(eventOf)
    },
  } satisfies Events)
}

function eventsOf(db: Kysely<Database>, jobNo: number) {
  return db.selectFrom('events').selectAll().where('job_no', '=', jobNo).orderBy('seq')
}

function eventOf({ seq, at_ms, type, data }: Selectable<Database['events']>): StoredEvent {
  return { seq, atMs: at_ms, type, data }
}

/** Adds an event to a job inside the transaction of `db`. */
export async function appendEvent(
  db: Kysely<Database>,
  jobNo: number,
  type: string,
  data: object,
  atMs: number,
): Promise<void> {
  const { event_seq: seq } = await db
    .updateTable('jobs')
    .set({ event_seq: sql`event_seq + 1` })
    .where('job_no', '=', jobNo)
    .returning('event_seq')
    .executeTakeFirstOrThrow()
  await db
    .insertInto('events')
    .values({ job_no: jobNo, seq, at_ms: atMs, type, data: JSON.stringify(data) })
    .execute()
}
