import { sql } from 'kysely'
import type { AttemptFact, AttemptIntent } from '../../src/domain/attempt.ts'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { AS_SPECIFIED, addCounters, type Counters, type Job, NO_COUNTS } from '../../src/domain/job.ts'
import { countsOfOutcome } from '../../src/domain/outcome-counts.ts'
import type { Outcome } from '../../src/domain/row.ts'
import { NO_USAGE } from '../../src/domain/usage.ts'
import { sha256 } from '../../src/runtime.ts'
import type { StoreDatabase } from '../../src/store/database.ts'
import { DEFAULT_TENANT, type NewJob, type NewSegment, type Store } from '../../src/store/store.ts'

/** A store under test, empty but for the default tenant. */
export interface StoreUnderTest {
  readonly store: Store
  /** The same database as another process has it open. */
  openAnother(): Promise<Store>
  addTenant(tenantNo: number): Promise<void>
  /** Lets so much of the database's time pass, as far as workers, roles and leases of chunks can tell. */
  pass(ms: number): Promise<void>
  close(): Promise<void>
}

/** Makes all that workers have said so much older: to them it is as if that time had passed. */
export async function ageFleet(store: Pick<StoreDatabase, 'write' | 'handle'>, ms: number): Promise<void> {
  await store.write(async (tx) => {
    const db = store.handle(tx)
    await sql`update workers set started_at_ms = started_at_ms - ${ms}, seen_at_ms = seen_at_ms - ${ms}`.execute(db)
    await sql`update roles set since_ms = since_ms - ${ms}, until_ms = until_ms - ${ms}`.execute(db)
    await sql`update limits set paid_to_us = paid_to_us - ${ms * 1000}, given_at_ms = given_at_ms - ${ms}`.execute(db)
    await sql`update chunks set leased_at_ms = leased_at_ms - ${ms}`.execute(db)
  })
}

/** A tenant beside the default one. */
export async function addTenant(store: Pick<StoreDatabase, 'write' | 'handle'>, tenantNo: number): Promise<void> {
  await store.write(async (tx) => {
    const row = { tenant_no: tenantNo, name: `tenant ${tenantNo}` }
    await store.handle(tx).insertInto('tenants').values(row).execute()
  })
}

/** When everything in these tests happens. */
export const T = 1_700_000_000_000

export const SPEC_HASH = sha256('spec')

let ids = 0

/** A UUIDv7 as good as any; later ones sort after earlier ones. */
export function nextId(): string {
  ids += 1
  return `018bcfe5-6800-7000-8000-${ids.toString(16).padStart(12, '0')}`
}

export function newJob(more: Partial<NewJob> = {}): NewJob {
  return {
    id: `job_${nextId()}`,
    tenantNo: DEFAULT_TENANT,
    specName: 'triage',
    specHash: SPEC_HASH,
    trigger: 'cli',
    triggerRef: null,
    jobKey: null,
    settings: AS_SPECIFIED,
    submission: '{"baseDir":"/tmp"}',
    atMs: T,
    ...more,
  }
}

/** A segment of chunks with these numbers of rows, numbered on from `firstChunk` and `firstRow`. */
export function segmentOf(
  jobNo: number,
  chunkRows: readonly number[],
  more: Partial<NewSegment> & { readonly firstChunk?: number; readonly firstRow?: number } = {},
): NewSegment {
  const { firstChunk = 0, firstRow = 0, ...given } = more
  const segmentNo = given.segmentNo ?? 0
  const key = `jobs/${jobNo}/snapshot/${segmentNo}`
  let row = firstRow
  const chunks = chunkRows.map((rows, n) => {
    const chunk = {
      chunkNo: firstChunk + n,
      segmentKey: key,
      byteOffset: n * 1000,
      byteLength: 1000,
      sha256: sha256(`chunk ${firstChunk + n}`),
      firstRow: row,
      rows,
    }
    row += rows
    return chunk
  })
  return { jobNo, segmentNo, key, bytes: 1000, sha256: sha256(key), chunks, unreadable: [], position: '{}', ...given }
}

/** A job that stands `queued`, with chunks of these numbers of rows. */
export async function queuedJob(
  store: Store,
  chunkRows: readonly number[],
  more: Partial<NewJob> = {},
  segment: Partial<NewSegment> = {},
): Promise<Job> {
  const { job } = await store.jobs.create(newJob(more))
  await store.chunks.appendSegment(segmentOf(job.jobNo, chunkRows, segment))
  await closeManifest(store, job.jobNo)
  await store.write((tx) => store.jobs.change(tx, job.jobNo, ['created'], { to: 'queued', atMs: T }))
  return (await store.jobs.getByNo(job.jobNo))!
}

export async function closeManifest(store: Store, jobNo: number): Promise<void> {
  const input = { format: 'csv', files: 1, bytes: 1000, columns: ['a'], notes: [], unreadable: 0 }
  await store.write((tx) => store.chunks.closeManifest(tx, jobNo, input, sha256('input')))
}

/** Claims a chunk that is there to be claimed. */
export async function claim(store: Store, jobNo: number, chunkNo: number, owner = 'worker'): Promise<ChunkClaim> {
  const claimed = await store.chunks.claim({ jobNo, chunkNo }, owner, false, T)
  if (claimed === null) throw new Error(`chunk ${chunkNo} was not to be had`)
  return { jobNo, chunkNo, epoch: claimed.chunk.epoch }
}

/** An attempt that may cost 1,000 nano-dollars, 100 input and 10 output tokens at worst. */
export function intentOf(claim: ChunkClaim, rowIndex: number, more: Partial<AttemptIntent> = {}): AttemptIntent {
  return {
    id: nextId(),
    jobNo: claim.jobNo,
    chunkNo: claim.chunkNo,
    epoch: claim.epoch,
    rowIndex,
    round: 0,
    number: 1,
    model: 'simulator/small',
    lane: 'live',
    requestHash: sha256(`request ${rowIndex}`),
    startedAtMs: T,
    worstInputTokens: 100,
    worstOutputTokens: 10,
    worstCacheWriteTokens: 0,
    worstCostNano: 1_000,
    priceNo: null,
    ...more,
  }
}

/** Its end: accepted, for 300 nano-dollars, 40 input tokens (8 of them cached) and 4 output tokens. */
export function factOf(intent: AttemptIntent, more: Partial<AttemptFact> = {}): AttemptFact {
  return {
    intent,
    endedAtMs: T + 500,
    cause: null,
    message: null,
    status: 200,
    providerCode: null,
    providerRequestId: 'req_1',
    counts: true,
    usage: { ...NO_USAGE, inputTokens: 40, cachedInputTokens: 8, outputTokens: 4 },
    costNano: 300,
    reply: null,
    ...more,
  }
}

export function outcomeOf(rowIndex: number, more: Partial<Outcome> = {}): Outcome {
  return {
    rowIndex,
    rowId: String(rowIndex),
    state: 'succeeded',
    cause: null,
    message: null,
    output: `{"n":${rowIndex}}`,
    reply: null,
    attempts: 1,
    model: 'simulator/small-1',
    lane: 'live',
    inputTokens: 40,
    outputTokens: 4,
    costNano: 300,
    latencyMs: 500,
    requestHash: sha256(`request ${rowIndex}`),
    specHash: SPEC_HASH,
    round: 0,
    endedAtMs: T + 500,
    fallback: false,
    ...more,
  }
}

/** A dead letter. */
export function failedOf(rowIndex: number, more: Partial<Outcome> = {}): Outcome {
  return outcomeOf(rowIndex, {
    state: 'failed',
    cause: 'schema_invalid',
    message: 'no topic',
    output: null,
    reply: '{}',
    ...more,
  })
}

export interface Written {
  readonly intents?: readonly AttemptIntent[]
  readonly facts?: readonly AttemptFact[]
  readonly outcomes?: readonly Outcome[]
  readonly answerScope?: string | null
}

/** Records what one holder of one chunk has to say, with the delta that a worker would compute. Returns the claims that had passed. */
export async function record(store: Store, claim: ChunkClaim, written: Written): Promise<readonly ChunkClaim[]> {
  const { intents = [], facts = [], outcomes = [], answerScope = null } = written
  if (answerScope !== null) await claimAnswers(store, claim, answerScope, outcomes)
  return await store.write((tx) =>
    store.rows.record(tx, {
      intents,
      facts,
      outcomes: outcomes.map((outcome) => ({ claim, outcome })),
      deltas: [{ claim, delta: deltaOf(facts, outcomes) }],
    }),
  )
}

/** Claims the requests of outcomes that are to be found later, from whoever has them. */
async function claimAnswers(store: Store, claim: ChunkClaim, scope: string, outcomes: readonly Outcome[]) {
  const job = (await store.jobs.getByNo(claim.jobNo))!
  const wishes = outcomes.flatMap(({ requestHash, rowIndex }) =>
    requestHash === null ? [] : [{ requestHash, by: { ...claim, rowIndex }, over: null }],
  )
  const claims = await store.answers.claim(job.tenantNo, scope, wishes)
  const others = wishes.flatMap((wish) => {
    const won = claims.get(wish.requestHash)
    return won === undefined || won.kind === 'mine' ? [] : [{ ...wish, over: won.source }]
  })
  await store.answers.claim(job.tenantNo, scope, others)
}

/** What a worker adds to a chunk's counters. */
export function deltaOf(facts: readonly AttemptFact[], outcomes: readonly Outcome[]): Counters {
  const used = facts.map(({ usage, costNano }) => ({
    ...NO_COUNTS,
    attempts: 1,
    inputTokens: usage.inputTokens,
    cachedTokens: usage.cachedInputTokens,
    outputTokens: usage.outputTokens,
    costNano: costNano ?? 0,
    unpriced: costNano === null ? 1 : 0,
  }))
  return [...used, ...outcomes.map(countsOfOutcome)].reduce(addCounters, NO_COUNTS)
}

/** Sends and answers rows: an intent, a fact and an outcome for each. */
export async function answerRows(
  store: Store,
  claim: ChunkClaim,
  outcomes: readonly Outcome[],
  answerScope: string | null = null,
) {
  const intents = outcomes.map(({ rowIndex, round }) => intentOf(claim, rowIndex, { round }))
  await record(store, claim, { intents })
  return await record(store, claim, { facts: intents.map((intent) => factOf(intent)), outcomes, answerScope })
}

/** Answers all rows of a chunk and completes it. */
export async function completeChunk(store: Store, claim: ChunkClaim, outcomes: readonly Outcome[]) {
  await answerRows(store, claim, outcomes)
  return await store.write((tx) => store.chunks.complete(tx, claim, T + 1_000))
}

/** What the ledger and the counters must agree on. */
export async function bothSums(store: Store, jobNo: number) {
  const { counters } = await store.jobs.progress(jobNo)
  const ledger = await store.attempts.ledger(jobNo)
  const fields = ['attempts', 'inputTokens', 'cachedTokens', 'outputTokens', 'costNano', 'unpriced'] as const
  const pick = (sums: Readonly<Record<(typeof fields)[number], number>>) =>
    Object.fromEntries(fields.map((field) => [field, sums[field]]))
  return { counters: pick(counters), ledger: pick(ledger) }
}
