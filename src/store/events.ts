import { type Kysely, sql } from 'kysely'
import type { StoreDatabase } from './database.ts'
import type { Events } from './role/events.ts'
import type { Database } from './schema.ts'

/** Durable events, numbered without gaps under their job's row. */
export function eventsRole(database: StoreDatabase): Events {
  return Object.freeze({
    append: (tx, jobNo, type, data, atMs) => appendEvent(database.handle(tx), jobNo, type, data, atMs),
    async list(jobNo, afterSeq, limit) {
      const events = await database.reader
        .selectFrom('events')
        .selectAll()
        .where('job_no', '=', jobNo)
        .where('seq', '>', afterSeq)
        .orderBy('seq')
        .limit(limit)
        .execute()
      return events.map(({ seq, at_ms, type, data }) => ({ seq, atMs: at_ms, type, data }))
    },
  } satisfies Events)
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
