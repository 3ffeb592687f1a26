import type { Kysely, Selectable } from 'kysely'
import type { StoreDatabase } from './database.ts'
import type { KeptAnswer, NewRequest, Requests, Taken } from './role/requests.ts'
import type { Database } from './schema.ts'
import type { RequestsTable } from './schema-service.ts'

/** Keys of requests, and the answers under them. */
export function requestsRole({ write, handle }: StoreDatabase): Requests {
  const changeOpen = (db: Kysely<Database>, tenantNo: number, key: string, change: Partial<RequestsTable>) =>
    db
      .updateTable('requests')
      .set(change)
      .where('tenant_no', '=', tenantNo)
      .where('request_key', '=', key)
      .where('answered_at_ms', 'is', null)
      .execute()
  return Object.freeze({
    take: (request) => write((tx) => takeRequest(handle(tx), request)),
    async answer(tenantNo, key, answer, atMs) {
      const { status, headers, body } = answer
      await write((tx) => changeOpen(handle(tx), tenantNo, key, { status, headers, body, answered_at_ms: atMs }))
    },
    async giveBack(tenantNo, key) {
      await write((tx) => changeOpen(handle(tx), tenantNo, key, { taken_at_ms: null }))
    },
    forget: (beforeMs) =>
      write(async (tx) => {
        const old = handle(tx).deleteFrom('requests').where('created_at_ms', '<', beforeMs)
        return Number((await old.executeTakeFirstOrThrow()).numDeletedRows)
      }),
  } satisfies Requests)
}

async function takeRequest(db: Kysely<Database>, request: NewRequest): Promise<Taken> {
  for (;;) {
    if (await insertRequest(db, request)) return { kind: 'mine', subject: request.subject }
    const kept = await db
      .selectFrom('requests')
      .selectAll()
      .where('tenant_no', '=', request.tenantNo)
      .where('request_key', '=', request.key)
      .executeTakeFirst()
    // Forgotten since: then it is the first again.
    if (kept === undefined) continue
    if (kept.fingerprint !== request.fingerprint) return { kind: 'other' }
    const answer = answerOf(kept)
    if (answer !== null) return { kind: 'answered', answer }
    if (kept.taken_at_ms !== null && kept.taken_at_ms >= request.staleBeforeMs) return { kind: 'busy' }
    const { numUpdatedRows } = await db
      .updateTable('requests')
      .set({ taken_at_ms: request.nowMs })
      .where('tenant_no', '=', request.tenantNo)
      .where('request_key', '=', request.key)
      .where('fingerprint', '=', request.fingerprint)
      .where('answered_at_ms', 'is', null)
      .where('taken_at_ms', 'is not distinct from', kept.taken_at_ms)
      .executeTakeFirstOrThrow()
    // Of several that take what a dead one has left, one is first: the others look again.
    if (numUpdatedRows > 0n) return { kind: 'mine', subject: kept.subject }
  }
}

async function insertRequest(db: Kysely<Database>, request: NewRequest): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('requests')
    .values({
      tenant_no: request.tenantNo,
      request_key: request.key,
      fingerprint: request.fingerprint,
      subject: request.subject,
      created_at_ms: request.nowMs,
      taken_at_ms: request.nowMs,
    })
    .onConflict((conflict) => conflict.columns(['tenant_no', 'request_key']).doNothing())
    .executeTakeFirstOrThrow()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

function answerOf({ answered_at_ms, status, headers, body }: Selectable<RequestsTable>): KeptAnswer | null {
  if (answered_at_ms === null || status === null || headers === null || body === null) return null
  return { status, headers, body }
}
