import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { expect } from 'vitest'
import { requestsKey } from '../../src/batch/batch-files.ts'
import type { BatcherDeps, BatchTimes } from '../../src/batch/batch-work.ts'
import { type Batcher, createBatcher } from '../../src/batch/batcher.ts'
import { partIdOf, requestId, writeRequests } from '../../src/batch/request-lines.ts'
import { readResults } from '../../src/batch/results.ts'
import type { BatchPolicy } from '../../src/batch/shard-policy.ts'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import type { BatchKind, BatchPart, BatchShard, ShardState } from '../../src/domain/batch.ts'
import type { Job } from '../../src/domain/job.ts'
import { createEvents, type EventMap, type Events } from '../../src/events.ts'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import { claim, queuedJob } from '../conformance/store-fixture.ts'
import { type ManualRuntime, manualRuntime } from '../support/manual-runtime.ts'
import { type ApiCallName, type Mishap, type ScriptedApi, scriptedApi } from './scripted-api.ts'

const never = new AbortController().signal

const POLICY: BatchPolicy = { requests: null, queueTokens: null, pollMs: 60_000, priority: 'normal' }

/** Times by which a test need not pass half an hour. */
export const TIMES: Partial<BatchTimes> = { lingerMs: 60_000 }

const STATES = ['planned', 'submitting', 'submitted', 'ended', 'collected', 'returned', 'unclear'] as const

export const KIND: BatchKind = {
  key: 'kind-1',
  account: 'openai/gpt-x',
  target: { id: 'openai/gpt-x', baseUrl: null, apiKeyEnv: 'KEY' },
  url: 'https://api.openai.com/v1/responses',
  headers: {},
  schemaLevel: null,
}

/** A store, a blob store and a queue as in production, with a provider, a clock and packed parts that a test has in its hands. */
export interface Depot {
  readonly store: Store
  readonly blob: Blob
  readonly queue: Queue
  readonly runtime: ManualRuntime
  readonly events: Events
  readonly api: ScriptedApi
  readonly troubles: EventMap['batch.trouble'][]
  policy: BatchPolicy
  /** Workers that are known to be dead. */
  readonly gone: Set<string>
  deps(workerId: string): BatcherDeps
  batcher(workerId?: string): Batcher
  /** Packs a job: for each chunk the number of its rows, all of them in one part. Its chunks are parked, those of `later` still to be packed. */
  pack(chunkRows: readonly number[], more?: Packing): Promise<Packed>
  shards(): Promise<readonly BatchShard[]>
  inState(state: ShardState): Promise<readonly BatchShard[]>
  /** Batches that the provider has. */
  created(): number
  /** These calls meet these mishaps, the first ones first; all others go well. */
  befall(script: Partial<Record<ApiCallName, (Mishap | null)[]>>): void
  /** Lets a batcher do what is due now. */
  turn(batcher: Batcher): Promise<void>
  /** Lets a batcher do whatever is due, over and over, `passMs` apart, until `done` says so. */
  drive(batcher: Batcher, done: () => Promise<boolean>, passMs?: number): Promise<void>
  /** Drives a batcher until so many batches run at the provider. */
  untilSubmitted(batcher?: Batcher, count?: number): Promise<Batcher>
  /** Lets time pass until it is so. */
  passUntil(done: () => Promise<boolean>): Promise<void>
  close(): Promise<void>
}

interface Packing {
  /** Of each request. */
  readonly tokens?: number
  readonly kind?: BatchKind
  readonly later?: readonly number[]
}

export interface Packed {
  readonly job: Job
  /** Its parts as they are now, in the order of their chunks. */
  parts(): Promise<readonly BatchPart[]>
  /** Whether each of its parts has ended. */
  isOver(): Promise<boolean>
  /** Each part has all its results, under its own ids, and its chunk its one message. */
  assertAnswered(): Promise<void>
}

/** Opens an empty depot in a folder of its own; in memory where there is such a folder, for there it is the store's rules that count, and not its disk. */
export async function openDepot(): Promise<Depot> {
  const dir = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sluice-depot-'))
  const runtime = manualRuntime()
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, ballastBytes: 1024 })
  const queue = createEmbeddedQueue({ database: store, runtime, leaseMs: 3_600_000 })
  const blob = openFileBlob({ dir: join(dir, 'blobs') })
  const events = createEvents((_name, error) => {
    throw error
  })
  const troubles: EventMap['batch.trouble'][] = []
  events.on('batch.trouble', (trouble) => troubles.push(trouble))
  const api = scriptedApi(runtime.now)
  const gone = new Set<string>()
  const depot: Depot = {
    store,
    blob,
    queue,
    runtime,
    events,
    api,
    troubles,
    policy: POLICY,
    gone,
    deps: (workerId) => ({
      workerId,
      runtime,
      events,
      store,
      queue,
      blob,
      apis: api,
      policyOf: async () => depot.policy,
      isGone: async (id) => gone.has(id),
      times: TIMES,
    }),
    batcher: (workerId = 'batcher-1') => createBatcher(depot.deps(workerId)),
    pack: (chunkRows, more = {}) => packJob(depot, chunkRows, more),
    shards: () => store.batches.shards({ states: STATES }, 1_000),
    inState: async (state) => (await depot.shards()).filter((shard) => shard.state === state),
    created: () => api.batches.length,
    befall(script) {
      api.mishap = (call) => script[call]?.shift() ?? null
    },
    async turn(batcher) {
      await batcher.begin(never)
      await batcher.rest()
    },
    async drive(batcher, done, passMs = 20_000) {
      for (let turn = 0; turn < 400; turn++) {
        await depot.turn(batcher)
        if (await done()) return
        await runtime.pass(passMs)
        await setImmediate()
      }
      throw new Error(`nothing came of it: ${JSON.stringify(await depot.shards())}`)
    },
    async untilSubmitted(batcher = depot.batcher(), count = 1) {
      await depot.drive(batcher, async () => (await depot.inState('submitted')).length === count)
      return batcher
    },
    async passUntil(done) {
      const step = async () => {
        await runtime.pass(250)
        return done()
      }
      await expect.poll(step, { interval: 1, timeout: 20_000 }).toBe(true)
    },
    async close() {
      await store.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
  return depot
}

async function packJob(
  { store, blob, queue, runtime }: Depot,
  chunkRows: readonly number[],
  { tokens = 10, kind = KIND, later = [] }: Packing,
): Promise<Packed> {
  const job = await queuedJob(store, [...chunkRows, ...later])
  let firstRow = 0
  for (const [chunkNo, count] of chunkRows.entries()) {
    const held = await claim(store, job.jobNo, chunkNo)
    const id = partIdOf(runtime.uuid())
    const rows = Array.from({ length: count }, (_, n) => firstRow + n)
    const key = requestsKey(job.id, id)
    const lines = rows.map((row) => ({ id: requestId(id, row), body: `{"row":${row}}` }))
    const { bytes } = await writeRequests(blob, key, lines)
    await store.write(async (tx) => {
      await store.chunks.release(tx, held, 'parked')
      await store.batches.pack(tx, [
        {
          id,
          jobNo: job.jobNo,
          chunkNo,
          round: 0,
          tenantNo: DEFAULT_TENANT,
          kind,
          rows,
          bytes,
          inputTokens: count * tokens,
          worst: { nano: count * 1_000, tokens: count * 100 },
          requestsKey: key,
          packedAtMs: runtime.now(),
        },
      ])
    })
    firstRow += count
  }
  const parts = async () => {
    const all = await Promise.all(chunkRows.map((_, chunkNo) => store.batches.ofChunk({ jobNo: job.jobNo, chunkNo })))
    return all.flat()
  }
  return {
    job,
    parts,
    isOver: async () => (await parts()).every(({ state }) => state === 'answered' || state === 'void'),
    async assertAnswered() {
      const all = await parts()
      expect(all.map(({ state }) => state)).toEqual(chunkRows.map(() => 'answered'))
      const { readLine } = readerOf()
      for (const part of all) {
        const results = await readResults(blob, part, readLine)
        expect([...results.keys()].sort((a, b) => a - b)).toEqual(part.rows)
        for (const [row, line] of results) expect(line.id).toBe(requestId(part.id, row))
      }
      expect((await queue.depth(job.jobNo)).ready).toBe(chunkRows.length)
    },
  }
}

const readerOf = () => scriptedApi(() => 0).open(KIND)
