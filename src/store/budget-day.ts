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

/** The first UTC day of a day's month, and the last, counted from 1970. */
export function monthOf(day: number): readonly [first: number, last: number] {
  const date = new Date(day * DAY_MS)
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
  return [dayOf(Date.UTC(year, month, 1)), dayOf(Date.UTC(year, month + 1, 1)) - 1]
}

/** What a tenant may draw in a time, and what is left of that. */
export interface Left {
  readonly limit: number
  readonly left: number
}

/**
 * What is left of the tenant's day and of its month, which is the sum of its days; `null`: there is no limit. Until the transaction ends nobody else of the
 * tenant draws.
 */
export async function leftOfTenant(
  db: Kysely<Database>,
  tenantNo: number,
  day: number,
): Promise<{ readonly day: Left | null; readonly month: Left | null }> {
  // Changes nothing but locks the row.
  const tenant = await db
    .updateTable('tenants')
    .set({ day_nano: sql`day_nano` })
    .where('tenant_no', '=', tenantNo)
    .where((eb) => eb.or([eb('day_nano', 'is not', null), eb('month_nano', 'is not', null)]))
    .returning(['day_nano', 'month_nano'])
    .executeTakeFirst()
  if (tenant === undefined) return { day: null, month: null }
  const { drawn_nano } = await db
    .insertInto('tenant_days')
    .values({ tenant_no: tenantNo, day, drawn_nano: 0 })
    .onConflict((conflict) =>
      conflict.columns(['tenant_no', 'day']).doUpdateSet({ drawn_nano: sql`tenant_days.drawn_nano` }),
    )
    .returning('drawn_nano')
    .executeTakeFirstOrThrow()
  const leftOf = (limit: number | null, drawn: number) => (limit === null ? null : { limit, left: limit - drawn })
  const inMonth = tenant.month_nano === null ? 0 : await drawnInMonth(db, tenantNo, day)
  return { day: leftOf(tenant.day_nano, drawn_nano), month: leftOf(tenant.month_nano, inMonth) }
}

async function drawnInMonth(db: Kysely<Database>, tenantNo: number, day: number): Promise<number> {
  const [first, last] = monthOf(day)
  const { drawn } = await db
    .selectFrom('tenant_days')
    .select((eb) => eb.fn.sum<number | null>('drawn_nano').as('drawn'))
    .where('tenant_no', '=', tenantNo)
    .where('day', '>=', first)
    .where('day', '<=', last)
    .executeTakeFirstOrThrow()
  return Number(drawn ?? 0)
}
