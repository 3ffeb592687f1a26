import type { Selectable } from 'kysely'
import type { ApiKey, Scope } from '../domain/access.ts'
import { addAudit } from './audit.ts'
import type { StoreDatabase } from './database.ts'
import type { Keys } from './role/keys.ts'
import type { ApiKeysTable } from './schema-service.ts'

/** How exactly it is known when a key was used last. */
const TOUCH_MS = 60_000

/** API keys, of whose secrets only hashes are there. */
export function keysRole({ reader, write, aside, handle }: StoreDatabase): Keys {
  return Object.freeze({
    async add(key, deed) {
      await write(async (tx) => {
        await handle(tx)
          .insertInto('api_keys')
          .values({
            key_id: key.id,
            tenant_no: key.tenantNo,
            name: key.name,
            scopes: JSON.stringify(key.scopes),
            secret_hash: key.secretHash,
            created_at_ms: key.createdAtMs,
            expires_at_ms: key.expiresAtMs,
          })
          .execute()
        if (deed !== undefined) await addAudit(handle(tx), { ...deed, tenantNo: key.tenantNo })
      })
    },

    async find(id) {
      const row = await reader.selectFrom('api_keys').selectAll().where('key_id', '=', id).executeTakeFirst()
      return row === undefined ? null : keyOf(row)
    },

    async list(tenantNo) {
      const newest = reader.selectFrom('api_keys').selectAll().orderBy('key_id', 'desc')
      const rows = await (tenantNo === null ? newest : newest.where('tenant_no', '=', tenantNo)).execute()
      return rows.map(keyOf)
    },

    revoke: (tenantNo, id, atMs, deed) =>
      write(async (tx) => {
        const revoked = await handle(tx)
          .updateTable('api_keys')
          .set({ revoked_at_ms: atMs })
          .where('key_id', '=', id)
          .where('revoked_at_ms', 'is', null)
          .$if(tenantNo !== null, (update) => update.where('tenant_no', '=', tenantNo))
          .returning('tenant_no')
          .executeTakeFirst()
        if (revoked !== undefined && deed !== undefined)
          await addAudit(handle(tx), { ...deed, tenantNo: revoked.tenant_no })
        return revoked !== undefined
      }),

    async touch(id, atMs) {
      const key = await reader.selectFrom('api_keys').select('used_at_ms').where('key_id', '=', id).executeTakeFirst()
      if (key === undefined || (key.used_at_ms !== null && key.used_at_ms > atMs - TOUCH_MS)) return
      await aside((db) =>
        db
          .updateTable('api_keys')
          .set({ used_at_ms: atMs })
          .where('key_id', '=', id)
          // Said again: another process may have been faster, or have the later clock.
          .where(({ eb, or }) => or([eb('used_at_ms', 'is', null), eb('used_at_ms', '<=', atMs - TOUCH_MS)]))
          .execute(),
      )
    },

    async any(nowMs) {
      const key = await reader
        .selectFrom('api_keys')
        .select('key_id')
        .where('revoked_at_ms', 'is', null)
        .where(({ eb, or }) => or([eb('expires_at_ms', 'is', null), eb('expires_at_ms', '>', nowMs)]))
        .limit(1)
        .executeTakeFirst()
      return key !== undefined
    },
  } satisfies Keys)
}

function keyOf(row: Selectable<ApiKeysTable>): ApiKey {
  return {
    id: row.key_id,
    tenantNo: row.tenant_no,
    name: row.name,
    scopes: JSON.parse(row.scopes) as readonly Scope[],
    secretHash: row.secret_hash,
    createdAtMs: row.created_at_ms,
    expiresAtMs: row.expires_at_ms,
    revokedAtMs: row.revoked_at_ms,
    usedAtMs: row.used_at_ms,
  }
}
