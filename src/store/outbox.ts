import { type Kysely, type Selectable, sql } from 'kysely'
import type { NewNotice, Notice, NoticeTarget } from '../domain/notice.ts'
import type { StoreDatabase } from './database.ts'
import { dueInTurn, longestDue } from './outbox-lines.ts'
import type { NoticeVerdict, Outbox } from './role/outbox.ts'
import type { Database } from './schema.ts'
import type { OutboxTable } from './schema-outbox.ts'

/** Notices, from the change that they tell of to their arrival. */
export function outboxRole(database: StoreDatabase): Outbox {
  const { reader, write, handle } = database
  return Object.freeze({
    put: (tx, job, notices, atMs) => putNotices(handle(tx), job, notices, atMs),

    putAlone: ({ tenantNo, jobNo }, notice, atMs) =>
      write(async (tx) => {
        const row = rowOf({ tenantNo, jobNo: jobNo ?? NO_JOB }, notice, seqOfNone(notice.id), atMs)
        const insert = handle(tx).insertInto('outbox').values(row)
        // Whichever of the unique indexes sees it first: several may add it at once.
        await insert.onConflict((conflict) => conflict.doNothing()).execute()
      }),

    async claim(nowMs, untilMs, limit, turns) {
      // Looked at every second, and empty as a rule: a transaction for that would hold up others.
      if ((await longestDue(reader, nowMs, 1)).length === 0) return []
      for (let look = 0; look < LOOKS; look += 1) {
        // Chosen outside of the transaction: nobody waits for the one write connection meanwhile.
        const ids = await (turns === undefined
          ? longestDue(reader, nowMs, limit)
          : dueInTurn(reader, nowMs, limit, turns))
        if (ids.length === 0) return []
        const claimed = await write((tx) => take(handle(tx), ids, nowMs, untilMs))
        if (claimed.length > 0) return await read(reader, (query) => query.where('message_id', 'in', claimed))
      }
      return []
    },

    settle: (notice, verdict) => write((tx) => settleNotice(handle(tx), notice, verdict)),

    async goneAt(tenantNo, addressHash) {
      const gone = await reader
        .selectFrom('outbox_gone')
        .select('gone_at_ms')
        .where('tenant_no', '=', tenantNo)
        .where('address_hash', '=', addressHash)
        .executeTakeFirst()
      return gone?.gone_at_ms ?? null
    },

    async givenUpBeside({ id, tenantNo, target }) {
      const there = reader
        .selectFrom('outbox')
        .where('tenant_no', '=', tenantNo)
        .where('target', '=', JSON.stringify(target))
      const last = await there
        .where('state', '=', 'delivered')
        .select((eb) => eb.fn.max('ended_at_ms').as('at_ms'))
        .executeTakeFirst()
      const { notices } = await there
        .where('state', '=', 'given_up')
        .where('ended_at_ms', '>', last?.at_ms ?? 0)
        .where('message_id', '<>', id)
        .select((eb) => eb.fn.countAll<number>().as('notices'))
        .executeTakeFirstOrThrow()
      return Number(notices)
    },

    list: ({ tenantNo, limit, states }) =>
      read(reader, (query) => {
        const newest = query.where('outbox.tenant_no', '=', tenantNo).orderBy('message_id', 'desc').limit(limit)
        return states === undefined ? newest : newest.where('outbox.state', 'in', states)
      }),

    async get(tenantNo, id) {
      const [notice] = await read(reader, (query) =>
        query.where('outbox.tenant_no', '=', tenantNo).where('message_id', '=', id),
      )
      return notice ?? null
    },

    async replay(tenantNo, id, atMs, untilMs) {
      const attempts = untilMs === undefined ? 0 : 1
      const { numUpdatedRows } = await write((tx) =>
        handle(tx)
          .updateTable('outbox')
          .set({ state: 'due', attempts, next_at_ms: untilMs ?? atMs, replayed_at_ms: atMs, ended_at_ms: null })
          .where('tenant_no', '=', tenantNo)
          .where('message_id', '=', id)
          .executeTakeFirstOrThrow(),
      )
      return numUpdatedRows > 0n
    },
  } satisfies Outbox)
}

/** How often a claim looks again where others were quicker: each of them has taken something. */
const LOOKS = 3

/** The ids of those of `ids` that nobody else has taken since they were seen. */
async function take(
  db: Kysely<Database>,
  ids: readonly string[],
  nowMs: number,
  untilMs: number,
): Promise<readonly string[]> {
  const claimed = await db
    .updateTable('outbox')
    .set({ attempts: sql`attempts + 1`, next_at_ms: untilMs })
    .where('message_id', 'in', ids)
    .where('state', '=', sql.lit('due'))
    .where('next_at_ms', '<=', nowMs)
    .returning('message_id')
    .execute()
  return claimed.map((row) => row.message_id)
}

async function putNotices(db: Kysely<Database>, ...[job, notices, atMs]: PutArguments): Promise<void> {
  if (notices.length === 0) return
  const { event_seq } = await db
    .selectFrom('jobs')
    .select('event_seq')
    .where('job_no', '=', job.jobNo)
    .executeTakeFirstOrThrow()
  const rows = notices.map((notice) => rowOf(job, notice, event_seq, atMs))
  await db
    .insertInto('outbox')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['job_no', 'event_seq', 'target_no']).doNothing())
    .execute()
}

/** The number of no job. */
const NO_JOB = 0

function rowOf(
  { tenantNo, jobNo }: { readonly tenantNo: number; readonly jobNo: number },
  { id, targetNo, target, type, body }: NewNotice,
  eventSeq: number,
  atMs: number,
) {
  return {
    message_id: id,
    tenant_no: tenantNo,
    job_no: jobNo,
    event_seq: eventSeq,
    target_no: targetNo,
    target: JSON.stringify(target),
    type,
    body,
    state: 'due' as const,
    attempts: 0,
    created_at_ms: atMs,
    next_at_ms: atMs,
  }
}

/** In place of a change's number: one that no change has, from the random half of the notice's UUID. */
function seqOfNone(id: string): number {
  return -1 - Number.parseInt(id.slice(-12), 16)
}

type PutArguments = Parameters<Outbox['put']> extends readonly [unknown, ...infer Rest] ? Rest : never

async function settleNotice(db: Kysely<Database>, notice: Notice, verdict: NoticeVerdict): Promise<boolean> {
  const { state, note, atMs, address } = verdict
  const when =
    verdict.state === 'due'
      ? { next_at_ms: verdict.nextAtMs, ended_at_ms: null }
      : { next_at_ms: null, ended_at_ms: atMs }
  const { numUpdatedRows } = await db
    .updateTable('outbox')
    .set({ state, note, ...when })
    .where('message_id', '=', notice.id)
    .where('state', '=', 'due')
    .where('attempts', '=', notice.attempts)
    .where('replayed_at_ms', 'is not distinct from', notice.replayedAtMs)
    .executeTakeFirstOrThrow()
  if (address !== null) await noteAddress(db, notice.tenantNo, address, verdict)
  return numUpdatedRows > 0n
}

/** An address that takes something is wanted again; one that merely fails stays as it was. */
async function noteAddress(
  db: Kysely<Database>,
  tenantNo: number,
  { hash, gone }: NonNullable<NoticeVerdict['address']>,
  { state, atMs }: NoticeVerdict,
): Promise<void> {
  if (gone) {
    await db
      .insertInto('outbox_gone')
      .values({ tenant_no: tenantNo, address_hash: hash, gone_at_ms: atMs })
      .onConflict((conflict) => conflict.columns(['tenant_no', 'address_hash']).doUpdateSet({ gone_at_ms: atMs }))
      .execute()
  } else if (state === 'delivered') {
    await db.deleteFrom('outbox_gone').where('tenant_no', '=', tenantNo).where('address_hash', '=', hash).execute()
  }
}

function selectNotices(db: Kysely<Database>) {
  return db
    .selectFrom('outbox')
    .leftJoin('jobs', 'jobs.job_no', 'outbox.job_no')
    .selectAll('outbox')
    .select('jobs.id as job_id')
}

type NoticeSelection = ReturnType<typeof selectNotices>

async function read(
  db: Kysely<Database>,
  choose: (query: NoticeSelection) => NoticeSelection,
): Promise<readonly Notice[]> {
  return (await choose(selectNotices(db)).execute()).map(noticeOf)
}

function noticeOf(row: Selectable<OutboxTable> & { readonly job_id: string | null }): Notice {
  return {
    id: row.message_id,
    tenantNo: row.tenant_no,
    jobNo: row.job_no === NO_JOB ? null : row.job_no,
    jobId: row.job_id,
    targetNo: row.target_no,
    target: JSON.parse(row.target) as NoticeTarget,
    type: row.type,
    body: row.body,
    state: row.state,
    attempts: row.attempts,
    createdAtMs: row.created_at_ms,
    nextAtMs: row.next_at_ms,
    endedAtMs: row.ended_at_ms,
    note: row.note,
    replayedAtMs: row.replayed_at_ms,
  }
}
