import { type Kysely, sql } from 'kysely'
import type { Turns } from './role/outbox.ts'
import type { Database } from './schema.ts'

/** What waits for one target of one tenant; `target` as the index `outbox_lines` has it. */
interface Line {
  readonly tenant_no: number
  readonly target: string
  /** When the first of the line is due. */
  readonly next_at_ms: number
}

interface Waiting {
  readonly message_id: string
  readonly tenant_no: number
  readonly next_at_ms: number
}

/** How much of a target tells its line: as in the index. */
const TOLD_BY = 500
const TARGET = sql.raw(`substr(outbox.target, 1, ${TOLD_BY})`)
/** From how many lines is taken at once: SQLite joins no more than 500 selections. */
const LINES_AT_ONCE = 100

/** The ids of at most `limit` notices that are due at `nowMs`, longest due first. */
export async function longestDue(db: Kysely<Database>, nowMs: number, limit: number): Promise<readonly string[]> {
  const due = db
    .selectFrom('outbox')
    .select('message_id')
    .where('state', '=', sql.lit('due'))
    .where('next_at_ms', '<=', nowMs)
  return idsOf(await due.orderBy('next_at_ms').limit(limit).execute())
}

/**
 * The ids of at most `limit` notices that are due at `nowMs`: of each target the longest due, of each tenant the longest due of these; the first of every
 * tenant, then the second, … It costs a step for each line and each notice that it returns, however long the lines are. Targets of a tenant that differ
 * after their first 500 characters only stand in one line.
 */
export async function dueInTurn(
  db: Kysely<Database>,
  nowMs: number,
  limit: number,
  turns: Turns,
): Promise<readonly string[]> {
  const chosen = fairly(free(await linesDue(db, nowMs), turns)).slice(0, Math.min(limit, LINES_AT_ONCE))
  if (chosen.length === 0) return []
  const firsts = chosen.map(
    (line) => sql`select * from (
      select message_id, tenant_no, next_at_ms from outbox
      where state = 'due' and tenant_no = ${line.tenant_no} and ${TARGET} = ${line.target} and next_at_ms <= ${nowMs}
      order by next_at_ms, message_id limit ${turns.perTarget}
    ) as firsts`,
  )
  const { rows } = await sql<Waiting>`${sql.join(firsts, sql` union all `)}`.execute(db)
  return idsOf(fairly(rows, turns.perTenant).slice(0, limit))
}

/** The lines whose first is due. From one line it goes to the next by the index: what stands between them is not looked at. */
async function linesDue(db: Kysely<Database>, nowMs: number): Promise<readonly Line[]> {
  const { rows } = await sql<Line>`
    with recursive lines (tenant_no, target, next_at_ms) as (
      select tenant_no, ${TARGET}, next_at_ms from outbox where message_id = (
        select message_id from outbox where state = 'due'
        order by tenant_no, ${TARGET}, next_at_ms, message_id limit 1
      )
      union all
      select found.tenant_no, substr(found.target, 1, ${sql.lit(TOLD_BY)}), found.next_at_ms
      from lines join outbox as found on found.message_id = coalesce(
        (select message_id from outbox where state = 'due' and tenant_no = lines.tenant_no
          and ${TARGET} > lines.target
          order by ${TARGET}, next_at_ms, message_id limit 1),
        (select message_id from outbox where state = 'due' and tenant_no > lines.tenant_no
          order by tenant_no, ${TARGET}, next_at_ms, message_id limit 1)
      )
    )
    select tenant_no, target, next_at_ms from lines where next_at_ms <= ${nowMs}`.execute(db)
  return rows
}

/** Lines in which nothing is under way. */
function free(lines: readonly Line[], { busyTargets, busyTenants }: Turns): readonly Line[] {
  const [targets, tenants] = [
    new Set(busyTargets.map(({ tenantNo, target }) => `${tenantNo} ${lineOf(JSON.stringify(target))}`)),
    new Set(busyTenants),
  ]
  return lines.filter(({ tenant_no, target }) => !tenants.has(tenant_no) && !targets.has(`${tenant_no} ${target}`))
}

/** The first `TOLD_BY` characters as databases count them: by code points. */
function lineOf(target: string): string {
  return target.length <= TOLD_BY ? target : [...target].slice(0, TOLD_BY).join('')
}

/** Of every tenant the longest due, then of every tenant the second, …; of none more than `most`. */
function fairly<T extends Pick<Waiting, 'tenant_no' | 'next_at_ms'>>(
  waiting: readonly T[],
  most?: number,
): readonly T[] {
  const longestFirst = waiting.toSorted((a, b) => a.next_at_ms - b.next_at_ms)
  return [...Map.groupBy(longestFirst, ({ tenant_no }) => tenant_no).values()]
    .flatMap((ofTenant) => ofTenant.slice(0, most).map((one, nth) => ({ one, nth })))
    .toSorted((a, b) => a.nth - b.nth || a.one.next_at_ms - b.one.next_at_ms)
    .map(({ one }) => one)
}

function idsOf(rows: readonly { readonly message_id: string }[]): readonly string[] {
  return rows.map((row) => row.message_id)
}
