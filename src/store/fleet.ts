import { type Kysely, type RawBuilder, type Selectable, sql } from 'kysely'
import { countingChunks } from './chunk-record.ts'
import type { StoreDatabase } from './database.ts'
import { type Fleet, GONE_AFTER_MS, type Member, type MemberSeen, type Role } from './role/fleet.ts'
import type { Database } from './schema.ts'
import type { WorkersTable } from './schema-fleet.ts'

/** States in which a job is to be worked on; spelled out as in the index over them. */
const ACTIVE = sql<boolean>`state in ('queued', 'running', 'finalizing')`

/** Members, single roles, and who holds what. */
export function fleetRole(database: StoreDatabase): Fleet {
  const { reader, write, handle } = database
  return Object.freeze({
    ...membersOf(database),
    ...rolesOf(database),

    async wantConcurrency(workerId, concurrency) {
      const wanted = await write((tx) =>
        handle(tx)
          .updateTable('workers')
          .set({ wanted_concurrency: concurrency })
          .where('worker_id', '=', workerId)
          .where(isAlive(database))
          .executeTakeFirstOrThrow(),
      )
      return wanted.numUpdatedRows > 0n
    },

    async holders(limit, jobNo) {
      const all = reader.selectFrom('chunks')
      const ofJob = (no: number) => all.where('job_no', '=', no).where('chunk_no', 'in', countingChunks(reader, no))
      const chunks = await (jobNo === undefined ? all : ofJob(jobNo))
        .select(['job_no', 'chunk_no', 'owner', 'leased_at_ms'])
        // Claimed chunks that are open: a handful, with an index of their own.
        .where('counting', '=', sql.lit(1))
        .where('state', '=', 'leased')
        .orderBy('leased_at_ms')
        .limit(limit)
        .execute()
      return chunks.map((chunk) => ({
        jobNo: chunk.job_no,
        chunkNo: chunk.chunk_no,
        owner: chunk.owner ?? '',
        leasedAtMs: chunk.leased_at_ms,
      }))
    },

    wished: (limit) => jobs(reader).where('wanted', 'is not', null).limit(limit).execute(),
    active: (after, limit) => jobs(reader).where(ACTIVE).where('job_no', '>', after).limit(limit).execute(),
    async standing() {
      const counted = await reader
        .selectFrom('jobs')
        .select(({ fn }) => ['tenant_no', 'state', fn.countAll<number>().as('jobs')])
        .where(ACTIVE)
        .groupBy(['tenant_no', 'state'])
        .execute()
      return counted.map(({ tenant_no: tenantNo, state, jobs: count }) => ({ tenantNo, state, jobs: Number(count) }))
    },
  } satisfies Fleet)
}

function membersOf(database: StoreDatabase) {
  const { reader, write, handle, aside, clock } = database
  return {
    join: (member) => write((tx) => insertMember(handle(tx), member, clock())),

    async beat(workerId, concurrency) {
      const before = await aside((db) =>
        db
          .selectFrom('workers')
          .select([silence(clock()), 'wanted_concurrency'])
          .where('worker_id', '=', workerId)
          .executeTakeFirst(),
      )
      if (before === undefined) return { silentMs: null, wantedConcurrency: null }
      const wish = before.wanted_concurrency
      // Another wish may have come in between: then it is the next beat's.
      const left = sql<number | null>`nullif(wanted_concurrency, ${wish})`
      await aside((db) =>
        db
          .updateTable('workers')
          .set({ seen_at_ms: clock(), concurrency, wanted_concurrency: left })
          .where('worker_id', '=', workerId)
          .execute(),
      )
      return { silentMs: Number(before.silent_ms), wantedConcurrency: wish }
    },

    leave: (workerId) =>
      write(async (tx) => {
        await handle(tx).deleteFrom('roles').where('worker_id', '=', workerId).execute()
        await handle(tx).deleteFrom('workers').where('worker_id', '=', workerId).execute()
      }),

    async members() {
      const rows = await reader
        .selectFrom('workers')
        .selectAll()
        .select(silence(clock()))
        .orderBy('started_at_ms')
        .orderBy('worker_id')
        .execute()
      return rows.map(memberOf)
    },

    async isGone(workerId) {
      const alive = reader.selectFrom('workers').select('worker_id').where('worker_id', '=', workerId)
      return (await alive.where(isAlive(database)).executeTakeFirst()) === undefined
    },

    async forget(silentMs) {
      const forgotten = await write((tx) =>
        handle(tx)
          .deleteFrom('workers')
          .where('seen_at_ms', '<', sql<number>`${clock()} - ${silentMs}`)
          .executeTakeFirstOrThrow(),
      )
      return Number(forgotten.numDeletedRows)
    },
  } satisfies Partial<Fleet>
}

function rolesOf({ reader, write, handle, aside, clock }: StoreDatabase) {
  return {
    async holdRole(role, workerId, forMs) {
      const held = await aside((db) =>
        db
          .insertInto('roles')
          .values({ role, worker_id: workerId, since_ms: clock(), until_ms: sql`${clock()} + ${forMs}` })
          .onConflict((conflict) =>
            conflict
              .column('role')
              .doUpdateSet({
                worker_id: sql`excluded.worker_id`,
                until_ms: sql`excluded.until_ms`,
                since_ms: sql`case when roles.worker_id = excluded.worker_id then roles.since_ms else excluded.since_ms end`,
              })
              .where(sql<boolean>`roles.worker_id = excluded.worker_id or roles.until_ms <= ${clock()}`),
          )
          .executeTakeFirstOrThrow(),
      )
      return (held.numInsertedOrUpdatedRows ?? 0n) > 0n
    },

    async dropRole(role, workerId) {
      await write((tx) =>
        handle(tx).deleteFrom('roles').where('role', '=', role).where('worker_id', '=', workerId).execute(),
      )
    },

    async roles() {
      const rows = await reader
        .selectFrom('roles')
        .selectAll()
        .where('until_ms', '>', clock())
        .orderBy('role')
        .execute()
      return rows.map((row) => ({ role: row.role as Role, workerId: row.worker_id, sinceMs: row.since_ms }))
    },
  } satisfies Partial<Fleet>
}

async function insertMember(db: Kysely<Database>, member: Member, now: RawBuilder<number>): Promise<void> {
  const says = {
    host: member.host,
    pid: member.pid,
    version: member.version,
    job_no: member.jobNo,
    chunks: member.chunks,
    concurrency: member.concurrency,
    seen_at_ms: now,
  }
  await db
    .insertInto('workers')
    .values({ worker_id: member.workerId, started_at_ms: now, ...says })
    .onConflict((conflict) => conflict.column('worker_id').doUpdateSet(says))
    .execute()
}

function jobs(db: Kysely<Database>) {
  return db.selectFrom('jobs').select(['job_no as jobNo', 'round', 'state', 'wanted']).orderBy('job_no')
}

/** Who was not heard of while the server was down is not silent: all have their time anew. */
function isAlive({ clock, upSince }: StoreDatabase) {
  const since = sql<number>`${clock()} - ${GONE_AFTER_MS}`
  return sql<boolean>`(seen_at_ms > ${since} or ${upSince()} > ${since})`
}

function silence(now: RawBuilder<number>) {
  return sql<number>`${now} - seen_at_ms`.as('silent_ms')
}

function memberOf(row: Selectable<WorkersTable> & { readonly silent_ms: number }): MemberSeen {
  const silentMs = Number(row.silent_ms)
  return {
    workerId: row.worker_id,
    host: row.host,
    pid: row.pid,
    version: row.version,
    jobNo: row.job_no,
    chunks: row.chunks,
    concurrency: row.concurrency,
    startedAtMs: row.started_at_ms,
    silentMs,
    gone: silentMs >= GONE_AFTER_MS,
  }
}
