import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

/**
 * The lines in which notices wait, one for each target of a tenant: whoever sends takes the first of each without going over those behind them. A target is
 * its first 500 characters here, since PostgreSQL keeps no longer text than 2,700 bytes in an index.
 */
export function outboxLines(): Migration {
  return {
    async up(db: Kysely<unknown>) {
      await sql`create index outbox_lines on outbox (tenant_no, substr(target, 1, 500), next_at_ms, message_id) where state = 'due'`.execute(
        db,
      )
    },
  }
}
