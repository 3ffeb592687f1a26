import { type Kysely, sql } from 'kysely'
import type { Job, Priority } from '../domain/job.ts'
import { jobOf } from './job-record.ts'
import type { Database } from './schema.ts'

/** What `jobs.waits` holds: the most urgent go first. */
export const RANK: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 }

// In the text, as the index of jobs at work asks for it.
const AT_WORK = sql<boolean>`state in ('queued', 'running', 'finalizing')`
const MAY_WAIT = sql<boolean>`waits is not null and state in ('queued', 'running')`

/** Gives a job its turn, or lets it wait; `Jobs.admit` says what it guarantees. Of one tenant all come one after the other. */
export async function admitJob(db: Kysely<Database>, jobNo: number, priority: Priority): Promise<boolean> {
  const query = db.selectFrom('jobs').select(['tenant_no', 'state', 'waits']).where('job_no', '=', jobNo)
  const job = await query.executeTakeFirstOrThrow()
  // Changes nothing but locks the row.
  const tenant = await db
    .updateTable('tenants')
    .set({ max_jobs: sql`max_jobs` })
    .where('tenant_no', '=', job.tenant_no)
    .where('max_jobs', 'is not', null)
    .returning('max_jobs')
    .executeTakeFirst()
  const has = job.state === 'running' && job.waits === null
  const most = has ? null : (tenant?.max_jobs ?? null)
  // One that does not wait may have its turn already, and keeps it.
  const before = async () => (job.waits === null ? 0 : await waitingBefore(db, job.tenant_no, jobNo, RANK[priority]))
  const isIn = most === null || (await running(db, job.tenant_no, jobNo)) + (await before()) < most
  const waits = isIn ? null : RANK[priority]
  if (waits !== job.waits) await db.updateTable('jobs').set({ waits }).where('job_no', '=', jobNo).execute()
  return isIn
}

/** Waiting jobs for which there is room, of one tenant or (`null`) of all; `Jobs.inTurn` says in which order. */
export async function jobsInTurn(db: Kysely<Database>, tenantNo: number | null): Promise<readonly Job[]> {
  const tenants = await db
    .selectFrom('jobs')
    .innerJoin('tenants', 'tenants.tenant_no', 'jobs.tenant_no')
    .select(['tenants.tenant_no', 'tenants.max_jobs'])
    .distinct()
    .where(MAY_WAIT)
    .$if(tenantNo !== null, (query) => query.where('jobs.tenant_no', '=', tenantNo))
    .execute()
  const inTurn: Job[] = []
  for (const { tenant_no: ofTenant, max_jobs: most } of tenants) {
    const room = most === null ? MOST_AT_ONCE : Math.min(MOST_AT_ONCE, most - (await running(db, ofTenant, null)))
    if (room <= 0) continue
    const waiting = db.selectFrom('jobs').selectAll().where('tenant_no', '=', ofTenant).where(MAY_WAIT)
    inTurn.push(...(await waiting.orderBy('waits').orderBy('job_no').limit(room).execute()).map(jobOf))
  }
  return inTurn
}

/** Jobs of one tenant that are let in together, where its cap was lifted: the others follow. */
const MOST_AT_ONCE = 100

/** Jobs of the tenant that get their turn before this one. */
async function waitingBefore(db: Kysely<Database>, tenantNo: number, jobNo: number, rank: number): Promise<number> {
  const { waiting } = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('waiting'))
    .where('tenant_no', '=', tenantNo)
    .where(MAY_WAIT)
    .where((eb) => eb.or([eb('waits', '<', rank), eb.and([eb('waits', '=', rank), eb('job_no', '<', jobNo)])]))
    .where('job_no', '<>', jobNo)
    .executeTakeFirstOrThrow()
  return Number(waiting)
}

async function running(db: Kysely<Database>, tenantNo: number, without: number | null): Promise<number> {
  const { count } = await db
    .selectFrom('jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where(AT_WORK)
    .where('waits', 'is', null)
    .where('tenant_no', '=', tenantNo)
    .$if(without !== null, (query) => query.where('job_no', '<>', without))
    .executeTakeFirstOrThrow()
  return Number(count)
}
