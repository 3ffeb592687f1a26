/**
 * How fast `Rows.record` is: intent, fact and outcome of each row, durable, in groups as a worker makes them (architecture §3.5), and before them
 * the claim of its request.
 *
 *     node bench/record.ts [rows] [rows per group]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AttemptIntent } from '../src/domain/attempt.ts'
import type { ChunkClaim } from '../src/domain/chunk.ts'
import { AS_SPECIFIED, NO_COUNTS } from '../src/domain/job.ts'
import type { Outcome } from '../src/domain/row.ts'
import type { StoreTx } from '../src/domain/store-tx.ts'
import { NO_USAGE } from '../src/domain/usage.ts'
import { sha256, systemRuntime } from '../src/runtime.ts'
import { openSqliteStore } from '../src/store/sqlite.ts'
import { DEFAULT_TENANT, type RecordGroup } from '../src/store/store.ts'

const rows = Number(process.argv[2] ?? 200_000)
const perGroup = Number(process.argv[3] ?? 64)
const CHUNK_ROWS = 200
const IN_FLIGHT = 5

const dir = mkdtempSync(join(tmpdir(), 'sluice-record-'))
const path = join(dir, 'sluice.db')
const runtime = systemRuntime()
const store = await openSqliteStore({ path, runtime })
const specHash = sha256('bench')

const { job } = await store.jobs.create({
  id: `job_${runtime.uuid()}`,
  tenantNo: DEFAULT_TENANT,
  specName: 'bench',
  specHash,
  trigger: 'cli',
  triggerRef: null,
  jobKey: null,
  settings: AS_SPECIFIED,
  submission: '{}',
  atMs: runtime.now(),
})
const { jobNo } = job
await manifest()
const { micros, cpuMicros, stalls } = await run()
await store.close()
report()
rmSync(dir, { recursive: true })

async function manifest(): Promise<void> {
  const chunks = Array.from({ length: rows / CHUNK_ROWS }, (_, chunkNo) => ({
    chunkNo,
    segmentKey: 'segment',
    byteOffset: 0,
    byteLength: 1,
    sha256: specHash,
    firstRow: chunkNo * CHUNK_ROWS,
    rows: CHUNK_ROWS,
  }))
  const segment = { jobNo, segmentNo: 0, key: 'segment', bytes: 1, sha256: specHash, unreadable: [], position: '{}' }
  await store.chunks.appendSegment({ ...segment, chunks })
  const input = { format: 'csv', files: 1, bytes: 1, columns: [], notes: [], unreadable: 0 }
  await store.write(async (tx) => {
    await store.chunks.closeManifest(tx, jobNo, input, specHash)
    await store.jobs.change(tx, jobNo, ['created'], { to: 'queued', atMs: runtime.now() })
  })
}

/**
 * Each group books the rows whose intents the group before has noted, and notes the next ones, over the chunks in flight in turn. Only the
 * store's share is measured: claims, groups and completions, not the making of what they write.
 */
async function run() {
  const spent = { wallMs: 0, cpuMicros: 0 }
  const stalls: number[] = []
  const measured = async <T>(work: () => Promise<T>): Promise<T> => {
    const [begun, cpu] = [performance.now(), process.cpuUsage()]
    const result = await work()
    const used = process.cpuUsage(cpu)
    spent.wallMs += performance.now() - begun
    spent.cpuMicros += used.user + used.system
    return result
  }
  for (let first = 0; first < rows / CHUNK_ROWS; first += IN_FLIGHT) {
    const claims = await measured(() => claimFrom(first))
    const waiting = Array.from({ length: CHUNK_ROWS }, (_, row) => claims.map((claim) => intentOf(claim, row))).flat()
    const asked = claims.map(({ chunkNo }) => waiting.filter((intent) => intent.chunkNo === chunkNo).map(wishOf))
    await measured(async () => {
      for (const wishes of asked) await store.answers.claim(DEFAULT_TENANT, 'spec:bench', wishes)
    })
    let sent: readonly AttemptIntent[] = []
    while (waiting.length > 0 || sent.length > 0) {
      const intents = waiting.splice(0, perGroup)
      const group = groupOf(claims, sent, intents)
      const before = spent.wallMs
      await measured(() => store.write((tx) => store.rows.record(tx, group)))
      stalls.push(spent.wallMs - before)
      sent = intents
    }
    await measured(() => store.write((tx) => completeAll(tx, claims)))
  }
  const micros = (spent.wallMs * 1000) / rows
  return { micros, cpuMicros: spent.cpuMicros / rows, stalls: stalls.sort((a, b) => a - b) }
}

async function claimFrom(first: number): Promise<readonly ChunkClaim[]> {
  const claims: ChunkClaim[] = []
  for (let chunkNo = first; chunkNo < Math.min(first + IN_FLIGHT, rows / CHUNK_ROWS); chunkNo += 1) {
    const claimed = await store.chunks.claim({ jobNo, chunkNo }, 'bench', false, runtime.now())
    if (claimed !== null) claims.push({ jobNo, chunkNo, epoch: claimed.chunk.epoch })
  }
  return claims
}

function wishOf({ requestHash, jobNo: of, chunkNo, epoch, rowIndex }: AttemptIntent) {
  return { requestHash, by: { jobNo: of, chunkNo, epoch, rowIndex }, over: null }
}

async function completeAll(tx: StoreTx, claims: readonly ChunkClaim[]): Promise<void> {
  for (const claim of claims) await store.chunks.complete(tx, claim, runtime.now())
}

function intentOf(claim: ChunkClaim, row: number): AttemptIntent {
  const rowIndex = claim.chunkNo * CHUNK_ROWS + row
  return {
    id: runtime.uuid(),
    ...claim,
    rowIndex,
    round: 0,
    number: 1,
    model: 'openai/gpt-5-mini',
    lane: 'live',
    requestHash: sha256(String(rowIndex)),
    startedAtMs: runtime.now(),
    worstInputTokens: 900,
    worstOutputTokens: 200,
    worstCacheWriteTokens: 0,
    worstCostNano: 625_000,
    priceNo: null,
  }
}

function groupOf(
  claims: readonly ChunkClaim[],
  ended: readonly AttemptIntent[],
  intents: readonly AttemptIntent[],
): RecordGroup {
  const usage = { ...NO_USAGE, inputTokens: 400, outputTokens: 40 }
  const endedAtMs = runtime.now()
  const fact = { cause: null, message: null, status: 200, providerCode: null, counts: true, reply: null }
  return {
    intents,
    facts: ended.map((intent) => ({
      intent,
      ...fact,
      providerRequestId: 'req_0123456789abcdef',
      endedAtMs,
      usage,
      costNano: 180_000,
    })),
    outcomes: ended.map((intent) => ({ claim: intent, outcome: outcomeOf(intent, endedAtMs) })),
    deltas: claims.map((claim) => {
      const count = ended.filter((intent) => intent.chunkNo === claim.chunkNo).length
      const tokens = { inputTokens: 400 * count, outputTokens: 40 * count, costNano: 180_000 * count }
      return { claim, delta: { ...NO_COUNTS, succeeded: count, attempts: count, ...tokens } }
    }),
  }
}

function outcomeOf(intent: AttemptIntent, endedAtMs: number): Outcome {
  return {
    rowIndex: intent.rowIndex,
    rowId: String(intent.rowIndex),
    state: 'succeeded',
    cause: null,
    message: null,
    output: JSON.stringify({
      topic: 'billing',
      sentiment: 'neutral',
      urgent: false,
      confidence: 0.93,
      reason: 'x'.repeat(120),
    }),
    reply: null,
    attempts: 1,
    model: 'gpt-5-mini-2025-08-07',
    lane: 'live',
    inputTokens: 400,
    outputTokens: 40,
    costNano: 180_000,
    latencyMs: 900,
    requestHash: intent.requestHash,
    specHash,
    round: 0,
    endedAtMs,
    fallback: false,
  }
}

function report(): void {
  const at = (share: number) => stalls[Math.floor(stalls.length * share)]?.toFixed(2)
  console.log(
    `${rows} rows in groups of ${perGroup}: ${micros.toFixed(1)} µs a row, ${Math.round(1e6 / micros)} rows/s`,
  )
  console.log(`processor time: ${cpuMicros.toFixed(1)} µs a row`)
  console.log(`group commit: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${stalls.at(-1)?.toFixed(2)} ms`)
  console.log(`database: ${(statSync(path).size / rows).toFixed(0)} bytes a row`)
}
