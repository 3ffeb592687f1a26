import { type Kysely, sql } from 'kysely'
import type { Database } from './schema.ts'

const DAY_MS = 86_400_000

/** The UTC day of a time, counted from 1970. */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS)
}

/** Moves what the tenant of a job drew for a day, where that is kept. It never falls below nothing. */
export async function addToDay(db: Kysely<Database>, jobNo: number, day: number, nano: number): Promise<void> {
  if (nano === 0) return
  await db
    .updateTable('tenant_days')
    .set({ drawn_nano: sql`case when drawn_nano + ${nano} > 0 then drawn_nano + ${nano} else 0 end` })
    .where('tenant_no', '=', db.selectFrom('jobs').select('tenant_no').where('job_no', '=', jobNo))
    .where('day', '=', day)
    .execute()
}

/**
 * What is left of the tenant's day; `null`: it has no limit. Until the transaction ends nobody else of the tenant draws.
 */
export async function leftOfDay(
  db: Kysely<Database>,
  tenantNo: number,
  day: number,
): Promise<{ readonly limit: number; readonly left: number } | null> {
  // Changes nothing but locks the row.
  const tenant = await db
    .updateTable('tenants')
    .set({ day_nano: sql`day_nano` })
    .where('tenant_no', '=', tenantNo)
    .where('day_nano', 'is not', null)
    .returning('day_nano')
    .executeTakeFirst()
  if (tenant === undefined || tenant.day_nano === null) return null
  const { drawn_nano } = await db
    .insertInto('tenant_days')
    .values({ tenant_no: tenantNo, day, drawn_nano: 0 })
    .onConflict((conflict) =>
      conflict.columns(['tenant_no', 'day']).doUpdateSet({ drawn_nano: sql`tenant_days.drawn_nano` }),
    )
    .returning('drawn_nano')
    .executeTakeFirstOrThrow()
  return { limit: tenant.day_nano, left: tenant.day_nano - drawn_nano }
}
