import type { Updateable } from 'kysely'
import { addCounters, type JobSettings, TERMINAL_STATES } from '../domain/job.ts'
import { type Route, whyNow } from '../domain/route.ts'
import { NO_CAPS } from '../domain/tenant.ts'
import { countingChunksOf } from './chunk-record.ts'
import { countersBeside, sumOfCountersBeside } from './counters.ts'
import type { StoreDatabase } from './database.ts'
import { appendEvent } from './events.ts'
import { CONTROL_COLUMNS, controlOf, jobOf } from './job-record.ts'
import { beginJob, changeState, insertRound, openRound, resubmitJob } from './job-state.ts'
import type { JobProgress, Jobs, NewJob } from './role/jobs.ts'
import type { JobsTable } from './schema.ts'
import { capsOf } from './tenant-caps.ts'
import { admitJob, jobsInTurn, RANK } from './waiting-jobs.ts'

/** Jobs: their creation, their states, and the totals that are kept rather than counted. `version` is noted on each new job. */
export function jobsRole(database: StoreDatabase, version: string): Jobs {
  const { handle } = database
  return Object.freeze({
    ...reading(database),
    create: (job) => createJob(database, job, version),
    begin: (tx, jobNo, begin) => beginJob(handle(tx), jobNo, begin),
    resubmit: (jobNo, submission) => database.write((tx) => resubmitJob(handle(tx), jobNo, submission)),
    lock: database.lockJob,
    admit: (tx, jobNo, priority) => admitJob(handle(tx), jobNo, priority),
    change: (tx, jobNo, from, change) => changeState(handle(tx), jobNo, from, change),
    want: (...wish) => recordWish(database, ...wish),
    set: (jobNo, settings, atMs) => changeSettings(database, jobNo, settings, atMs),
    setRoute: (...change) => setRoute(database, ...change),
    openRound: (tx, jobNo, round) => openRound(handle(tx), jobNo, round),
  } satisfies Jobs)
}

function reading(database: StoreDatabase) {
  const { reader } = database
  const jobs = () => reader.selectFrom('jobs').selectAll()
  return {
    async get(tenantNo, id) {
      const row = await jobs().where('tenant_no', '=', tenantNo).where('id', '=', id).executeTakeFirst()
      return row === undefined ? null : jobOf(row)
    },
    async getByNo(jobNo) {
      const row = await jobs().where('job_no', '=', jobNo).executeTakeFirst()
      return row === undefined ? null : jobOf(row)
    },
    async byKey(tenantNo, jobKey) {
      const row = await jobs().where('tenant_no', '=', tenantNo).where('job_key', '=', jobKey).executeTakeFirst()
      return row === undefined ? null : jobOf(row)
    },
    async list(tenantNo, { limit, before, states }) {
      let query = jobs().where('tenant_no', '=', tenantNo).orderBy('job_no', 'desc').limit(limit)
      if (before !== undefined) query = query.where('job_no', '<', before)
      if (states !== undefined) query = query.where('state', 'in', states)
      return (await query.execute()).map(jobOf)
    },
    async submission(jobNo) {
      const query = reader.selectFrom('jobs').select('submission').where('job_no', '=', jobNo)
      return (await query.executeTakeFirstOrThrow()).submission
    },
    async controls(jobNos) {
      if (jobNos.length === 0) return []
      const rows = await reader.selectFrom('jobs').select(CONTROL_COLUMNS).where('job_no', 'in', jobNos).execute()
      if (rows.length === 0) return []
      const tenantNos = [...new Set(rows.map((row) => row.tenant_no))]
      const tenants = await reader.selectFrom('tenants').selectAll().where('tenant_no', 'in', tenantNos).execute()
      const caps = new Map(tenants.map((tenant) => [tenant.tenant_no, capsOf(tenant)]))
      return rows.map((row) => controlOf(row, caps.get(row.tenant_no) ?? NO_CAPS))
    },
    async routed(limit) {
      const rows = await jobs()
        .where('route', 'is not', null)
        .where('state', 'in', ['queued', 'running'])
        .orderBy('job_no')
        .limit(limit)
        .execute()
      return rows.map(jobOf)
    },
    async round(jobNo, round) {
      const query = reader.selectFrom('rounds').selectAll().where('job_no', '=', jobNo).where('round', '=', round)
      const row = await query.executeTakeFirst()
      if (row === undefined) return null
      return { jobNo, round, specHash: row.spec_hash, selection: row.selection, atMs: row.created_at_ms }
    },
    inTurn: (tenantNo) => jobsInTurn(reader, tenantNo),
    progress: (jobNo) => readProgress(database, jobNo),
    progressOf: (jobNos) => readAllProgress(database, jobNos),
  } satisfies Partial<Jobs>
}

async function setRoute(
  { handle, write }: StoreDatabase,
  jobNo: number,
  before: Route | null,
  route: Route,
  atMs: number,
): Promise<boolean> {
  return await write(async (tx) => {
    const { numUpdatedRows } = await handle(tx)
      .updateTable('jobs')
      .set({ route: JSON.stringify(route) })
      .where('job_no', '=', jobNo)
      .where('state', 'not in', TERMINAL_STATES)
      .where('route', 'is not distinct from', before === null ? null : JSON.stringify(before))
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return false
    await appendEvent(handle(tx), jobNo, 'job.route', { way: route.way, why: whyNow(route) }, atMs)
    return true
  })
}

async function createJob({ handle, write, bucketFor }: StoreDatabase, job: NewJob, version: string) {
  const bucket = await bucketFor(job.atMs)
  return await write(async (tx) => {
    const row = await handle(tx)
      .insertInto('jobs')
      .values({
        id: job.id,
        tenant_no: job.tenantNo,
        bucket,
        spec_name: job.specName,
        spec_hash: job.specHash,
        state: 'created',
        trigger: job.trigger,
        trigger_ref: job.triggerRef,
        job_key: job.jobKey,
        concurrency: job.settings.concurrency,
        priority: job.settings.priority,
        budget_nano: job.settings.budgetNano,
        budget_tokens: job.settings.budgetTokens,
        created_at_ms: job.atMs,
        version,
        submission: job.submission,
      })
      .onConflict((conflict) => conflict.columns(['tenant_no', 'job_key']).doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row !== undefined) {
      const first = { round: 0, specHash: job.specHash, selection: '{}', atMs: job.atMs }
      await insertRound(handle(tx), row.job_no, first)
      return { job: jobOf(row), created: true }
    }
    const existing = await handle(tx)
      .selectFrom('jobs')
      .selectAll()
      .where('tenant_no', '=', job.tenantNo)
      .where('job_key', '=', job.jobKey)
      .executeTakeFirstOrThrow()
    return { job: jobOf(existing), created: false }
  })
}

async function recordWish(
  { handle, write }: StoreDatabase,
  ...[jobNo, wanted, reason, detail]: Parameters<Jobs['want']>
) {
  await write(async (tx) => {
    const update = handle(tx)
      .updateTable('jobs')
      .set({ wanted, wanted_reason: wanted && (reason ?? null), wanted_detail: wanted && (detail ?? null) })
      .where('job_no', '=', jobNo)
      .where('state', 'not in', ['completed', 'failed', 'cancelled'])
    const notCancelled = update.where((eb) => eb.or([eb('wanted', 'is', null), eb('wanted', '<>', 'cancel')]))
    await (wanted === 'pause' ? notCancelled : update).execute()
  })
}

async function changeSettings(
  { handle, write }: StoreDatabase,
  jobNo: number,
  settings: Partial<JobSettings>,
  atMs: number,
) {
  const changes: Updateable<JobsTable> = {}
  if (settings.concurrency !== undefined) changes.concurrency = settings.concurrency
  if (settings.priority !== undefined) changes.priority = settings.priority
  const urgency = settings.priority ?? null
  if (settings.budgetNano !== undefined) changes.budget_nano = settings.budgetNano
  if (settings.budgetTokens !== undefined) changes.budget_tokens = settings.budgetTokens
  if (Object.keys(changes).length === 0) return
  // Whoever set another budget has not seen yet that the projection passes it.
  if ('budget_nano' in changes || 'budget_tokens' in changes) {
    changes.stopped_at_nano = null
    changes.stopped_at_tokens = null
  }
  await write(async (tx) => {
    const job = () => handle(tx).updateTable('jobs').where('job_no', '=', jobNo)
    await job().set(changes).execute()
    if (urgency !== null) await job().set({ waits: RANK[urgency] }).where('waits', 'is not', null).execute()
    await appendEvent(handle(tx), jobNo, 'job.settings', settings, atMs)
  })
}

/** One statement, which sees one state of the database: between two a chunk might hand its counters to the job, and be counted twice or never. */
async function readAllProgress({ reader }: StoreDatabase, jobNos: readonly number[]): Promise<readonly JobProgress[]> {
  if (jobNos.length === 0) return []
  const open = reader
    .selectFrom('chunks')
    .select('job_no as open_job_no')
    .select(sumOfCountersBeside)
    .select((eb) => eb.fn.sum<number>(eb.case().when('state', '=', 'leased').then(1).else(0).end()).as('open_leased'))
    .where((eb) => eb(eb.refTuple('job_no', 'chunk_no'), 'in', countingChunksOf(reader, jobNos)))
    .groupBy('job_no')
    .as('open')
  const rows = await reader
    .selectFrom('jobs')
    .leftJoin(open, (join) => join.onRef('open.open_job_no', '=', 'jobs.job_no'))
    .selectAll(['jobs', 'open'])
    .where('jobs.job_no', 'in', jobNos)
    .execute()
  const known = new Map(rows.map((row) => [row.job_no, row]))
  return jobNos.flatMap((jobNo) => {
    const row = known.get(jobNo)
    if (row === undefined) return []
    const job = jobOf(row)
    const counters = addCounters(job.counters, countersBeside(row))
    return { job, counters, chunksDone: job.chunksTotal - job.openChunks, chunksLeased: Number(row.open_leased ?? 0) }
  })
}

async function readProgress(database: StoreDatabase, jobNo: number): Promise<JobProgress> {
  const [progress] = await readAllProgress(database, [jobNo])
  if (progress === undefined) throw new Error(`there is no job ${jobNo}`)
  return progress
}
