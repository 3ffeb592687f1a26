import { type Kysely, type Selectable, sql } from 'kysely'
import { TERMINAL_STATES } from '../domain/job.ts'
import type { LedgerPart } from '../domain/ledger.ts'
import { StorageFailure } from '../domain/storage-failure.ts'
import { inStatements, type StoreDatabase } from './database.ts'
import { type StoredPart, sumAttempts } from './ledger.ts'
import { type Prices, storedPrices } from './prices.ts'
import type { Costs, JobCost } from './role/costs.ts'
import type { Database } from './schema.ts'
import type { JobCostsTable } from './schema-ledger.ts'

/** Jobs whose kept sums are read at a time. */
const JOBS_PAGE = 200
const DAY_MS = 86_400_000

/** Ledgers in sums. Those of jobs that are over are kept, so that a roll-up over years reads a few rows for each job. */
export function costsRole(database: StoreDatabase): Costs {
  const prices = storedPrices(database)
  const ofJob = async (jobNo: number) =>
    priced(prices, (await readKept(database, jobNo)) ?? (await sumAndKeep(database, jobNo)))
  return Object.freeze({
    priceNo: prices.priceNo,
    ofJob,
    ofTenant: (tenantNo, fromDay) => partsOfTenant(database, prices, ofJob, tenantNo, fromDay),
  } satisfies Costs)
}

async function priced(prices: Prices, parts: readonly StoredPart[]): Promise<readonly LedgerPart[]> {
  const byNo = await prices.byNo(parts.map(({ priceNo }) => priceNo))
  return parts.map(({ priceNo, ...part }) => ({
    ...part,
    price: priceNo === null ? null : (byNo.get(priceNo) ?? null),
  }))
}

/** The kept sums of a job, where they are those of its ledger as it stands; one statement, so that both are of one moment. */
async function readKept({ reader }: StoreDatabase, jobNo: number): Promise<readonly StoredPart[] | null> {
  const rows = await keptParts(reader).where('jobs.job_no', '=', jobNo).execute()
  return rows[0]?.is_kept === 1 ? rows.flatMap(storedPart) : null
}

/** Jobs with their kept sums, a row for each; a job without any comes with one row of nothing. */
function keptParts(db: Kysely<Database>) {
  return db
    .selectFrom('jobs')
    .leftJoin('job_costs', (join) =>
      join.onRef('job_costs.job_no', '=', 'jobs.job_no').onRef('jobs.costs_version', '=', 'jobs.ledger_version'),
    )
    .selectAll('job_costs')
    .select(({ eb, ref }) => [
      'jobs.job_no as owner_no',
      'jobs.id as job_id',
      'jobs.spec_name',
      eb.case().when('jobs.costs_version', '=', ref('jobs.ledger_version')).then(1).else(0).end().as('is_kept'),
    ])
}

type Kept = { readonly [column in keyof JobCostsTable]: Selectable<JobCostsTable>[column] | null }

function storedPart(row: Kept): readonly StoredPart[] {
  if (row.job_no === null) return []
  const part = row as Selectable<JobCostsTable>
  return [
    {
      round: part.round,
      day: part.day,
      model: part.model,
      lane: part.lane,
      state: part.state,
      cause: part.cause,
      priceNo: part.price_no,
      attempts: part.attempts,
      inputTokens: part.input_tokens,
      cachedTokens: part.cached_tokens,
      cacheWriteTokens: part.cache_write_tokens,
      outputTokens: part.output_tokens,
      reasoningTokens: part.reasoning_tokens,
      costNano: part.cost_nano,
      unpriced: part.unpriced,
    },
  ]
}

async function sumAndKeep(database: StoreDatabase, jobNo: number): Promise<readonly StoredPart[]> {
  const { parts, version } = await sum(database, jobNo)
  try {
    if (version !== null) await keep(database, jobNo, version, parts)
  } catch (error) {
    // What is kept saves work and nothing else: a ledger can be read where the store cannot be written.
    if (!(error instanceof StorageFailure)) throw error
  }
  return parts
}

/** Sums the ledger of a job. `version`: under which the sums may be kept; `null` where more than a late booking or a new round may change them. */
async function sum(database: StoreDatabase, jobNo: number) {
  const before = await database.reader
    .selectFrom('jobs')
    .select(['ledger_version', 'open_chunks', 'state'])
    .where('job_no', '=', jobNo)
    .executeTakeFirstOrThrow()
  const parts = await sumAttempts(database.reader, jobNo)
  const isOver = TERMINAL_STATES.includes(before.state) && before.open_chunks === 0
  const version = isOver && parts.every(({ state }) => state !== 'open') ? before.ledger_version : null
  return { parts, version }
}

/** Keeps the sums of all jobs that are over and were created before `beforeMs`: their attempts may go. */
export async function keepCosts(database: StoreDatabase, beforeMs: number): Promise<void> {
  const jobs = await database.reader
    .selectFrom('jobs')
    .select('job_no')
    .where('created_at_ms', '<', beforeMs)
    .where('state', 'in', TERMINAL_STATES)
    .where(({ ref }) => sql<boolean>`${ref('costs_version')} is distinct from ${ref('ledger_version')}`)
    .execute()
  for (const { job_no } of jobs) {
    const { parts, version } = await sum(database, job_no)
    if (version !== null) await keep(database, job_no, version, parts)
  }
}

/** Keeps the sums, unless the ledger has changed since they were made. Whoever changes it, changes its version in the same transaction. */
async function keep(database: StoreDatabase, jobNo: number, version: number, parts: readonly StoredPart[]) {
  await database.write(async (tx) => {
    const db = database.handle(tx)
    const { numUpdatedRows } = await db
      .updateTable('jobs')
      .set({ costs_version: version })
      .where('job_no', '=', jobNo)
      .where('ledger_version', '=', version)
      .where('state', 'in', TERMINAL_STATES)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return
    await db.deleteFrom('job_costs').where('job_no', '=', jobNo).execute()
    const rows = parts.map((part, partNo) => keptRow(jobNo, partNo, part))
    for (const some of inStatements(rows, 17)) await db.insertInto('job_costs').values(some).execute()
  })
}

function keptRow(jobNo: number, partNo: number, part: StoredPart) {
  return {
    job_no: jobNo,
    part_no: partNo,
    round: part.round,
    day: part.day,
    model: part.model,
    lane: part.lane,
    state: part.state,
    cause: part.cause,
    price_no: part.priceNo,
    attempts: part.attempts,
    input_tokens: part.inputTokens,
    cached_tokens: part.cachedTokens,
    cache_write_tokens: part.cacheWriteTokens,
    output_tokens: part.outputTokens,
    reasoning_tokens: part.reasoningTokens,
    cost_nano: part.costNano,
    unpriced: part.unpriced,
  }
}

async function* partsOfTenant(
  { reader }: StoreDatabase,
  prices: Prices,
  ofJob: Costs['ofJob'],
  tenantNo: number,
  fromDay: number | null,
): AsyncIterable<JobCost> {
  for (let after = 0; ; ) {
    let page = reader.selectFrom('jobs').select('job_no').where('tenant_no', '=', tenantNo)
    // An attempt begins before its job ends.
    if (fromDay !== null)
      page = page.where(({ or, eb }) => or([eb('ended_at_ms', 'is', null), eb('ended_at_ms', '>=', fromDay * DAY_MS)]))
    const jobs = await page.where('job_no', '>', after).orderBy('job_no').limit(JOBS_PAGE).execute()
    const last = jobs[jobs.length - 1]?.job_no
    if (last === undefined) return
    yield* partsOfJobs(
      reader,
      prices,
      ofJob,
      jobs.map(({ job_no }) => job_no),
      fromDay,
    )
    after = last
  }
}

async function* partsOfJobs(
  reader: Kysely<Database>,
  prices: Prices,
  ofJob: Costs['ofJob'],
  jobNos: readonly number[],
  fromDay: number | null,
): AsyncIterable<JobCost> {
  const rows = await keptParts(reader).where('jobs.job_no', 'in', jobNos).orderBy('jobs.job_no').execute()
  const rounds = await reader.selectFrom('rounds').selectAll().where('job_no', 'in', jobNos).execute()
  const specHashes = new Map(rounds.map(({ job_no, round, spec_hash }) => [`${job_no}/${round}`, spec_hash]))
  for (const row of rows) {
    const parts = row.is_kept === 1 ? await priced(prices, storedPart(row)) : await ofJob(row.owner_no)
    for (const part of parts) {
      if (fromDay !== null && part.day < fromDay) continue
      const specHash = specHashes.get(`${row.owner_no}/${part.round}`) ?? ''
      yield { jobId: row.job_id, specName: row.spec_name, specHash, part }
    }
  }
}
