import { type Kysely, sql } from 'kysely'
import { type Amount, type BudgetLimits, covers, most, NOTHING, plus } from '../domain/budget.ts'
import type { StoreTx } from '../domain/store-tx.ts'
import { addToDay, dayOf, type Left, leftOfTenant } from './budget-day.ts'
import { heldForParts } from './budget-holdings.ts'
import { countingChunks } from './chunk-record.ts'
import type { StoreDatabase } from './database.ts'
import type { BudgetLimit, Draw, DrawRequest, GrantOwner } from './role/budgets.ts'
import type { Database } from './schema.ts'
import type { BudgetGrantsTable } from './schema-budget.ts'

/** Draws from a job's budget; `Budgets.draw` says what it guarantees. All draws of a job come one after the other. */
export async function drawFrom(
  database: StoreDatabase,
  tx: StoreTx,
  request: DrawRequest,
  atMs: number,
): Promise<Draw> {
  const { jobNo, workerId, least } = request
  await database.lockJob(tx, jobNo, 'exclusive')
  const db = database.handle(tx)
  // Grants first: what is booked in between is then counted twice for a moment, and never not at all.
  const grants = await db.selectFrom('budget_grants').selectAll().where('job_no', '=', jobNo).execute()
  const job = await spentOf(db, jobNo)
  const limits = limitsNow(request.specLimits, job)
  const own = grants.find((grant) => grant.worker_id === workerId)
  const today = dayOf(atMs)
  if (own !== undefined && own.day !== today) await carryOver(db, own, today, job.tenantNo)
  const { day, month } = await leftOfTenant(db, job.tenantNo, today)
  const leftOfBoth = Math.min(day?.left ?? Number.POSITIVE_INFINITY, month?.left ?? Number.POSITIVE_INFINITY)
  const spent = plus(job.spent, grants.map(doubtOf).reduce(plus, NOTHING))
  const held = grants.map(leftOf).reduce(plus, job.held)
  const roomOf = (of: keyof Amount) => (limits[of] ?? Number.POSITIVE_INFINITY) - spent[of] - held[of]
  const room = { nano: roomOf('nano'), tokens: roomOf('tokens') }
  const known = { isFirst: own === undefined, limits, spent, ...capsOf(day, month) }
  const refusedBy = limitMet(room, { day, month }, least)
  if (refusedBy !== null) {
    if (own !== undefined) await change(db, request, today, { nano: -request.rest.nano, tokens: -request.rest.tokens })
    const heldByParts = await isHeldByParts(db, jobNo, refusedBy, job)
    const others = await othersOf(db, request, refusedBy, job.tenantNo)
    return { ...known, granted: NOTHING, refusedBy, others, heldByParts }
  }
  const others = grants.filter((grant) => grant !== own).length
  const share = (of: keyof Amount, left: number) =>
    Math.max(least[of], Math.min(request.wish[of], Math.floor(left / (1 + others))))
  const granted = {
    nano: share('nano', Math.min(room.nano, leftOfBoth)),
    tokens: share('tokens', room.tokens),
  }
  await change(db, request, today, granted)
  return { ...known, granted, refusedBy: null, others: [], heldByParts: false }
}

interface JobSpent {
  readonly tenantNo: number
  readonly set: BudgetLimits
  readonly spent: Amount
  /** What is held for parts of batches. */
  readonly held: Amount
}

/** One statement, and so one moment: a chunk that ends hands its counters to the job, and what is booked of a part leaves its holding. */
async function spentOf(db: Kysely<Database>, jobNo: number): Promise<JobSpent> {
  const open = db
    .selectFrom('chunks')
    .where('chunks.job_no', '=', jobNo)
    .where('chunk_no', 'in', countingChunks(db, jobNo))
  const row = await db
    .selectFrom('jobs')
    .select(['tenant_no', 'budget_nano', 'budget_tokens', 'cost_nano', 'doubt_nano', 'doubt_tokens'])
    .select([
      sql<number>`jobs.input_tokens + jobs.output_tokens`.as('tokens'),
      open.select((eb) => eb.fn.sum<number>('chunks.cost_nano').as('sum')).as('open_nano'),
      open.select(sql<number>`sum(chunks.input_tokens + chunks.output_tokens)`.as('sum')).as('open_tokens'),
      ...heldForParts(db),
    ])
    .where('jobs.job_no', '=', jobNo)
    .executeTakeFirstOrThrow()
  return {
    tenantNo: row.tenant_no,
    set: { nano: row.budget_nano, tokens: row.budget_tokens },
    spent: {
      nano: row.cost_nano + row.doubt_nano + Number(row.open_nano ?? 0),
      tokens: Number(row.tokens) + row.doubt_tokens + Number(row.open_tokens ?? 0),
    },
    held: { nano: Number(row.held_nano ?? 0), tokens: Number(row.held_tokens ?? 0) },
  }
}

function limitsNow(spec: BudgetLimits, { set }: JobSpent): BudgetLimits {
  return { nano: set.nano ?? spec.nano, tokens: set.tokens ?? spec.tokens }
}

function leftOf(grant: BudgetGrantsTable): Amount {
  return most(NOTHING, { nano: grant.left_nano, tokens: grant.left_tokens })
}

/** What of a grant's bookings is doubtful. */
export function doubtOf(grant: Pick<BudgetGrantsTable, 'doubt_nano' | 'doubt_tokens'>): Amount {
  return { nano: grant.doubt_nano, tokens: grant.doubt_tokens }
}

function capsOf(day: Left | null, month: Left | null) {
  return { dayNano: day?.limit ?? null, monthNano: month?.limit ?? null }
}

type LeftOfTenant = Awaited<ReturnType<typeof leftOfTenant>>

function limitMet(room: Amount, { day, month }: LeftOfTenant, least: Amount): BudgetLimit | null {
  if (!covers(room, least)) return room.nano < least.nano ? 'usd' : 'tokens'
  // The month first: its end is further away, and who waits for the day would wait in vain.
  if (month !== null && month.left < least.nano) return 'month'
  return day !== null && day.left < least.nano ? 'day' : null
}

/** Whether a limit is on all of the tenant's jobs together. */
function isOfTenant(limit: BudgetLimit): boolean {
  return limit === 'day' || limit === 'month'
}

/** What was drawn on an earlier day and is still there counts for this one. */
async function carryOver(db: Kysely<Database>, own: BudgetGrantsTable, today: number, tenantNo: number): Promise<void> {
  const { nano } = leftOf(own)
  await addToDay(db, own.job_no, own.day, -nano)
  const { day, month } = await leftOfTenant(db, tenantNo, today)
  if (day !== null || month !== null) await addToDay(db, own.job_no, today, nano)
}

/** Adds to the worker's grant, and to the tenant's day, where that is kept. */
async function change(db: Kysely<Database>, { jobNo, workerId }: DrawRequest, day: number, by: Amount): Promise<void> {
  await db
    .insertInto('budget_grants')
    .values({ job_no: jobNo, worker_id: workerId, left_nano: by.nano, left_tokens: by.tokens, day, ...NO_DOUBT })
    .onConflict((conflict) =>
      conflict.columns(['job_no', 'worker_id']).doUpdateSet({
        left_nano: sql`budget_grants.left_nano + excluded.left_nano`,
        left_tokens: sql`budget_grants.left_tokens + excluded.left_tokens`,
        day,
      }),
    )
    .execute()
  await addToDay(db, jobNo, day, by.nano)
}

const NO_DOUBT = Object.freeze({ doubt_nano: 0, doubt_tokens: 0 })

async function othersOf(
  db: Kysely<Database>,
  { jobNo, workerId }: DrawRequest,
  refusedBy: BudgetLimit,
  tenantNo: number,
): Promise<readonly GrantOwner[]> {
  const jobs = db.selectFrom('jobs').select('job_no').where('tenant_no', '=', tenantNo)
  const rows = await db
    .selectFrom('budget_grants')
    .select(['job_no', 'worker_id'])
    .where(refusedBy === 'tokens' ? 'left_tokens' : 'left_nano', '>', 0)
    .$if(isOfTenant(refusedBy), (query) => query.where('job_no', 'in', jobs))
    .$if(!isOfTenant(refusedBy), (query) => query.where('job_no', '=', jobNo))
    .where((eb) => eb.or([eb('job_no', '<>', jobNo), eb('worker_id', '<>', workerId)]))
    .execute()
  return rows.map((row) => ({ jobNo: row.job_no, workerId: row.worker_id }))
}

/** Whether a refusal may change when parts of batches end, also of the tenant's other jobs where its day or month is the limit. */
async function isHeldByParts(
  db: Kysely<Database>,
  jobNo: number,
  refusedBy: BudgetLimit,
  { tenantNo, held }: JobSpent,
): Promise<boolean> {
  if (!isOfTenant(refusedBy)) return (refusedBy === 'usd' ? held.nano : held.tokens) > 0
  if (held.nano > 0) return true
  const jobs = db.selectFrom('jobs').select('job_no').where('tenant_no', '=', tenantNo).where('job_no', '<>', jobNo)
  const holding = db.selectFrom('budget_holdings').select('part_id').where('job_no', 'in', jobs)
  return (await holding.where('left_nano', '>', 0).limit(1).executeTakeFirst()) !== undefined
}
