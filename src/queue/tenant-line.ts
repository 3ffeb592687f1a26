import { type Kysely, type RawBuilder, sql } from 'kysely'
import type { JobFilter } from './queue.ts'
import { type Had, LEAST_TOKENS, nextTurns, type TenantTurn, type TenantWaiting } from './tenant-turns.ts'

/** A handle of the store's database: statements are written out here, as both databases understand them. */
export type LineHandle = Pick<Kysely<never>, 'getExecutor' | 'executeQuery'>

/** The messages of one tenant, as the statements below ask for them; `tenant` names the tenant's number. */
export interface MessagesOfTenant {
  /** The level of the next one that may be fetched now; nothing: there is none. */
  readonly nextLevel: (tenant: RawBuilder<unknown>) => RawBuilder<unknown>
  /** How many are held. */
  readonly held: (tenant: RawBuilder<unknown>) => RawBuilder<unknown>
}

/** A message that somebody was given. */
export interface Given {
  /** Nobody had been given it before, so that its tenant is to be charged for it. */
  readonly isFirst: boolean
}

/** Where the line of tenants stands: a message that is put into it begins there. */
export async function readFront(db: LineHandle): Promise<Had> {
  const { rows } = await sql<{ front: number | null }>`select max(began) as front from tenant_turns`.execute(db)
  return Number(rows[0]?.front ?? 0)
}

/** How many ends of rounds a fetch may give out, before the line is asked. */
export function mostEnds({ limit, filter }: { readonly limit: number; readonly filter: JobFilter }): number {
  return filter.oneEach === true ? Math.min(1, limit) : limit
}

/** Of whom chunks may be given out beside the ends that these tenants were given: where one of each is asked for, of nobody who has one. */
export function besideEnds(filter: JobFilter, tenants: readonly number[]): JobFilter {
  if (filter.oneEach !== true || tenants.length === 0) return filter
  return { ...filter, exceptTenants: [...(filter.exceptTenants ?? []), ...tenants] }
}

/** What a fetch asks of the line. */
interface LineFetch {
  readonly limit: number
  readonly filter: Pick<JobFilter, 'lastTenants' | 'oneEach'>
}

/**
 * Gives out up to `limit` messages by the tenants' turns, each as `give` takes it. Fetches come one after the other: what each finds is how the one
 * before has left it.
 */
export async function serveTenants<G extends Given>(
  db: LineHandle,
  messages: MessagesOfTenant,
  { limit, filter: { lastTenants = [], oneEach = false } }: LineFetch,
  give: (turn: TenantTurn) => Promise<readonly G[]>,
): Promise<readonly G[]> {
  await bookCharges(db)
  let waiting = (await readWaiting(db, messages)).map((tenant) => ({
    ...tenant,
    room: oneEach ? 1 : tenant.room,
    isLast: lastTenants.includes(tenant.tenantNo),
  }))
  const given: G[] = []
  let front = waiting.length === 0 ? 0 : await readFront(db)
  while (given.length < limit && waiting.length > 0) {
    for (const turn of nextTurns(waiting, limit - given.length, front)) {
      const got = await give(turn)
      given.push(...got)
      const served = afterwards(turn, got)
      if (got.length > 0) await noteServed(db, served)
      front = Math.max(front, served.began)
      waiting = waiting.flatMap((tenant) => {
        if (tenant.tenantNo !== turn.tenantNo) return [tenant]
        const room = tenant.room === null ? null : tenant.room - got.length
        return got.length < turn.messages || room === 0 ? [] : [{ ...tenant, had: served.had, room }]
      })
    }
  }
  return given
}

interface Served {
  readonly tenantNo: number
  readonly had: Had
  readonly began: Had
}

function afterwards({ tenantNo, start, each }: TenantTurn, got: readonly Given[]): Served {
  const charged = got.filter(({ isFirst }) => isFirst).length
  return { tenantNo, had: start + charged * each, began: start + Math.max(0, charged - 1) * each }
}

async function noteServed(db: LineHandle, { tenantNo, had, began }: Served): Promise<void> {
  await sql`insert into tenant_turns (tenant_no, had, began) values (${tenantNo}, ${had}, ${began})
    on conflict (tenant_no) do update set had = excluded.had, began = excluded.began`.execute(db)
}

async function readWaiting(
  db: LineHandle,
  { nextLevel, held }: MessagesOfTenant,
): Promise<readonly Omit<TenantWaiting, 'isLast'>[]> {
  const tenant = sql`t.tenant_no`
  const { rows } = await sql<Record<'tenantNo' | 'weight' | 'had' | 'typical' | 'level' | 'room', number | null>>`
    select * from (
      select t.tenant_no as "tenantNo", t.weight as weight, s.had as had, s.typical as typical,
        (${nextLevel(tenant)}) as level,
        case when t.max_chunks is null then null else t.max_chunks - (${held(tenant)}) end as room
      from tenants t left join tenant_turns s on s.tenant_no = t.tenant_no
    ) as lines where level is not null and (room is null or room > 0) order by "tenantNo"`.execute(db)
  return rows.map(({ tenantNo, weight, had, typical, level, room }) => ({
    tenantNo: Number(tenantNo),
    weight: Number(weight),
    had: Number(had ?? 0),
    level: Number(level),
    typical: typical === null ? null : Number(typical),
    room: room === null ? null : Number(room),
  }))
}

/** What is known of a message that leaves its holder. */
export interface Charge {
  readonly tenantNo: number
  /** What its tenant was charged when it was given out. */
  readonly charged: Had
  /** What its requests have taken meanwhile. */
  readonly tokens: number
  /** It is done with: the next one will take about as much. */
  readonly isWhole: boolean
}

/** Sets right what a tenant was charged. Part of the caller's transaction; counted at the next fetch, so that nobody waits for anybody here. */
export async function correctCharge(db: LineHandle, { tenantNo, charged, tokens, isWhole }: Charge): Promise<void> {
  const counted = isWhole ? Math.max(LEAST_TOKENS, tokens) : tokens
  await sql`insert into tenant_charges (tenant_no, charged, tokens, whole)
    values (${tenantNo}, ${charged}, ${counted}, ${isWhole ? 1 : 0})`.execute(db)
}

/** A chunk that has ended counts for so much of what the next one is thought to take. */
const NEWEST = 4

/** Counts what has been set right since the last fetch. */
async function bookCharges(db: LineHandle): Promise<void> {
  const { rows } = await sql<Record<'tenant_no' | 'charged' | 'tokens' | 'whole', number>>`
    delete from tenant_charges returning tenant_no, charged, tokens, whole`.execute(db)
  const charges = rows.map((row) => ({ tenantNo: Number(row.tenant_no), ...row }))
  for (const [tenantNo, list] of Map.groupBy(charges, (charge) => charge.tenantNo)) {
    const sum = (of: 'charged' | 'tokens') => list.reduce((total, charge) => total + Number(charge[of]), 0)
    const whole = list.filter((charge) => Number(charge.whole) === 1)
    const typical = whole.length === 0 ? null : Math.round(mean(whole.map(({ tokens }) => Number(tokens))))
    await sql`update tenant_turns set
        had = had - cast(${sum('charged')} as bigint) + 1000 * cast(${sum('tokens')} as bigint) / (select weight from tenants t where t.tenant_no = ${tenantNo}),
        typical = case
          when cast(${typical} as bigint) is null then typical
          when typical is null then cast(${typical} as bigint)
          else (${sql.raw(String(NEWEST - 1))} * typical + cast(${typical} as bigint)) / ${sql.raw(String(NEWEST))} end
      where tenant_no = ${tenantNo}`.execute(db)
  }
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / numbers.length
}
