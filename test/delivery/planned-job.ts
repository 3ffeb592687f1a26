import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AttemptFact } from '../../src/domain/attempt.ts'
import type { Chunk } from '../../src/domain/chunk.ts'
import type { Cause } from '../../src/domain/failure.ts'
import {
  AS_SPECIFIED,
  addCounters,
  type Counters,
  type InputDescription,
  type Job,
  NO_COUNTS,
} from '../../src/domain/job.ts'
import type { Price } from '../../src/domain/money.ts'
import { countsOfOutcome } from '../../src/domain/outcome-counts.ts'
import type { LaneName, Outcome, Row, Value } from '../../src/domain/row.ts'
import type { Spec } from '../../src/domain/spec.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { manualRuntime } from '../support/manual-runtime.ts'

const HASH = 'ab'.repeat(32)

/** One row of an input, and how far the job has come with it. */
export type PlannedRow =
  | { readonly kind: 'unreadable'; readonly excerpt?: string }
  | {
      readonly kind: 'row'
      readonly id?: string
      readonly values: readonly Value[]
      /** Absent: it has no outcome yet. */
      readonly outcome?: Partial<Outcome>
      readonly attempts?: readonly PlannedAttempt[]
    }

export interface PlannedAttempt {
  readonly model?: string
  readonly cause?: Cause | null
  readonly message?: string
  readonly inputTokens?: number
  readonly cachedTokens?: number
  readonly outputTokens?: number
  readonly costNano?: number | null
  readonly reply?: string | null
  /** It was sent, and nothing was heard of it. */
  readonly lost?: true
  readonly cacheWriteTokens?: number
  readonly reasoningTokens?: number
  readonly price?: Price
  readonly lane?: LaneName
}

export interface PlannedJob {
  readonly store: Store
  readonly job: Job
  readonly spec: Spec
  readonly readRows: (chunk: Chunk) => Promise<readonly Row[]>
  /** How often `readRows` was called. */
  readonly reads: () => number
}

interface Plan {
  readonly spec: Spec
  readonly input: Pick<InputDescription, 'columns'> & Partial<InputDescription>
  /** By chunk. */
  readonly chunks: readonly (readonly PlannedRow[])[]
}

/** A folder for one test, and stores that are closed with it. */
export function workplace() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-delivery-'))
  const stores: Store[] = []
  return {
    folder,
    /** A real store that holds the planned job, all of it committed as a worker would. */
    async job(plan: Plan): Promise<PlannedJob> {
      const runtime = manualRuntime()
      const path = join(folder, `state-${stores.length}.db`)
      const store = await openSqliteStore({ path, runtime, version: '0.1.0' })
      stores.push(store)
      return { store, ...(await commit(store, plan)) }
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function commit(store: Store, plan: Plan) {
  const { job } = await store.jobs.create({
    id: 'job_01990000-0000-7000-8000-000000000001',
    tenantNo: DEFAULT_TENANT,
    specName: plan.spec.name,
    specHash: HASH,
    trigger: 'cli',
    triggerRef: null,
    jobKey: null,
    settings: AS_SPECIFIED,
    submission: '{}',
    atMs: 1_700_000_000_000,
  })
  const chunks = numbered(plan)
  await store.chunks.appendSegment({
    jobNo: job.jobNo,
    segmentNo: 0,
    key: 'segment',
    bytes: chunks.length,
    sha256: HASH,
    chunks: chunks.map(({ chunkNo, firstRow, rows }) => ({
      chunkNo,
      firstRow,
      rows: rows.length,
      segmentKey: 'segment',
      byteOffset: chunkNo,
      byteLength: 1,
      sha256: HASH,
    })),
    unreadable: chunks.flatMap(({ chunkNo, rows }) =>
      rows.flatMap(({ index, plan: row }) =>
        row.kind === 'row'
          ? []
          : [
              {
                chunkNo,
                index,
                line: index + 2,
                file: 'in.csv',
                message: 'a quote is open',
                excerpt: row.excerpt ?? '"',
              },
            ],
      ),
    ),
    position: '{}',
  })
  const input = { format: 'csv', files: 1, bytes: 1234, notes: [], unreadable: 0, ...plan.input }
  await store.write((tx) => store.chunks.closeManifest(tx, job.jobNo, input, HASH))
  await store.write((tx) => store.jobs.change(tx, job.jobNo, ['created'], { to: 'queued', atMs: 1_700_000_001_000 }))
  for (const chunk of chunks) await work(store, job.jobNo, chunk)
  let reads = 0
  return {
    job: (await store.jobs.getByNo(job.jobNo)) as Job,
    spec: plan.spec,
    reads: () => reads,
    readRows: async ({ chunkNo }: Chunk) => {
      reads += 1
      return (chunks[chunkNo]?.rows ?? []).flatMap(({ index, plan: row }) =>
        row.kind === 'row' ? [{ index, id: row.id ?? String(index), values: row.values }] : [],
      )
    },
  }
}

interface NumberedChunk {
  readonly chunkNo: number
  readonly firstRow: number
  readonly rows: readonly { readonly index: number; readonly plan: PlannedRow }[]
}

function numbered({ chunks }: Plan): readonly NumberedChunk[] {
  let next = 0
  return chunks.map((rows, chunkNo) => {
    const firstRow = next
    next += rows.length
    return { chunkNo, firstRow, rows: rows.map((plan, at) => ({ index: firstRow + at, plan })) }
  })
}

/** Claims the chunk, books what is planned, and closes it where every row has its outcome. */
async function work(store: Store, jobNo: number, chunk: NumberedChunk): Promise<void> {
  const claimed = await store.chunks.claim({ jobNo, chunkNo: chunk.chunkNo }, 'worker', false, 1_700_000_001_500)
  if (claimed === null) throw new Error('the chunk cannot be claimed')
  const claim = { jobNo, chunkNo: chunk.chunkNo, epoch: claimed.chunk.epoch }
  const planned = chunk.rows.flatMap(({ index, plan }) => (plan.kind === 'row' ? [{ index, plan }] : []))
  const sent: { readonly attempt: PlannedAttempt; readonly fact: AttemptFact }[] = []
  for (const { index, plan } of planned) {
    for (const [at, attempt] of (plan.attempts ?? []).entries()) {
      const priceNo = attempt.price === undefined ? null : await store.costs.priceNo(attempt.price)
      sent.push({ attempt, fact: fact(claim, index, at, attempt, priceNo) })
    }
  }
  const intents = sent.map(({ fact: { intent } }) => intent)
  const facts = sent.filter(({ attempt }) => attempt.lost !== true).map(({ fact: ended }) => ended)
  const outcomes = planned.flatMap(({ index, plan }) =>
    plan.outcome === undefined ? [] : [{ claim, outcome: outcome(index, plan.id, plan.outcome) }],
  )
  const deltas = [...outcomes.map(({ outcome: one }) => countsOfOutcome(one)), ...facts.map(usedBy)]
  const delta = deltas.reduce(addCounters, NO_COUNTS)
  await store.write((tx) => store.rows.record(tx, { intents, facts: [], outcomes: [], deltas: [] }))
  await store.write((tx) => store.rows.record(tx, { intents: [], facts, outcomes, deltas: [{ claim, delta }] }))
  const done = outcomes.length + chunk.rows.length - planned.length === chunk.rows.length
  if (done) await store.write((tx) => store.chunks.complete(tx, claim, 1_700_000_061_000))
}

function outcome(rowIndex: number, id: string | undefined, more: Partial<Outcome>): Outcome {
  return {
    rowIndex,
    rowId: id ?? String(rowIndex),
    state: 'succeeded',
    cause: null,
    message: null,
    output: null,
    reply: null,
    attempts: 1,
    model: 'main-2026',
    lane: 'live',
    inputTokens: 10,
    outputTokens: 2,
    costNano: 1500,
    latencyMs: 20,
    requestHash: null,
    specHash: HASH,
    round: 0,
    endedAtMs: 1_700_000_060_000,
    fallback: false,
    ...more,
  }
}

function fact(
  claim: { readonly jobNo: number; readonly chunkNo: number; readonly epoch: number },
  rowIndex: number,
  at: number,
  attempt: PlannedAttempt,
  priceNo: number | null,
): AttemptFact {
  const serial = (rowIndex * 16 + at).toString(16).padStart(12, '0')
  return {
    intent: {
      ...claim,
      id: `01990000-0000-7000-8000-${serial}`,
      rowIndex,
      round: 0,
      number: at + 1,
      model: attempt.model ?? 'openai/main',
      lane: attempt.lane ?? 'live',
      requestHash: HASH,
      startedAtMs: 1_700_000_002_000 + at,
      worstInputTokens: 100,
      worstOutputTokens: 100,
      worstCacheWriteTokens: 0,
      worstCostNano: 1_000_000,
      priceNo,
    },
    endedAtMs: 1_700_000_003_000 + at,
    cause: attempt.cause ?? null,
    message: attempt.message ?? null,
    status: null,
    providerCode: null,
    providerRequestId: null,
    counts: true,
    retryable: true,
    usage: {
      inputTokens: attempt.inputTokens ?? 10,
      cachedInputTokens: attempt.cachedTokens ?? 0,
      cacheWriteTokens: attempt.cacheWriteTokens ?? 0,
      outputTokens: attempt.outputTokens ?? 2,
      reasoningTokens: attempt.reasoningTokens ?? 0,
    },
    costNano: attempt.costNano === undefined ? 1500 : attempt.costNano,
    reply: attempt.reply ?? null,
  }
}

function usedBy({ usage, costNano }: AttemptFact): Counters {
  return {
    ...NO_COUNTS,
    attempts: 1,
    inputTokens: usage.inputTokens,
    cachedTokens: usage.cachedInputTokens,
    outputTokens: usage.outputTokens,
    costNano: costNano ?? 0,
    unpriced: costNano === null ? 1 : 0,
  }
}
