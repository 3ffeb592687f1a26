import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createBatcher } from '../../src/batch/batcher.ts'
import type { Blob } from '../../src/blob/blob.ts'
import { openFileBlob } from '../../src/blob/file.ts'
import type { Job } from '../../src/domain/job.ts'
import { addCounters, NO_COUNTS } from '../../src/domain/job.ts'
import { countsOfOutcome } from '../../src/domain/outcome-counts.ts'
import type { Row } from '../../src/domain/row.ts'
import type { Spec } from '../../src/domain/spec.ts'
import type { StorageFailure } from '../../src/domain/storage-failure.ts'
import type { StoredOutcome } from '../../src/domain/stored.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { createEvents, type EventMap, type EventName, type Events } from '../../src/events.ts'
import { fulfilWish, mendQueue } from '../../src/job/control.ts'
import { enqueueWork } from '../../src/job/enqueue.ts'
import { finalize } from '../../src/job/finalize.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { createAdaptiveGovernor } from '../../src/limit/adaptive.ts'
import type { Governor } from '../../src/limit/governor.ts'
import { createOwnShare } from '../../src/limit/own-share.ts'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import type { Queue } from '../../src/queue/queue.ts'
import { answerScope } from '../../src/reuse/answer-scope.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { type Runtime, sha256 } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT, type Store } from '../../src/store/store.ts'
import type { JobRun } from '../../src/worker/job-run.ts'
import { settleChunk } from '../../src/worker/settle-chunk.ts'
import { createWorker, type Worker } from '../../src/worker/worker.ts'
import type { BatchDeps, WorkerDeps } from '../../src/worker/worker-deps.ts'
import { bothSums, closeManifest, newJob, segmentOf } from '../conformance/store-fixture.ts'
import { spec as specWith, target } from '../row/fixture.ts'
import { hastyRuntime } from './hasty-runtime.ts'
import { type ScriptedBatches, scriptedBatches } from './scripted-batches.ts'
import { type ScriptedLane, scriptedLane } from './scripted-lane.ts'

/** What the rows of a test's job are asked for. */
const TOPIC = {
  type: 'object',
  properties: { topic: { type: 'string', enum: ['billing', 'login', 'bug'] } },
  required: ['topic'],
} as const

const PRICE = {
  inputNanoPerMillion: 1_000_000_000,
  outputNanoPerMillion: 4_000_000_000,
  cachedInputNanoPerMillion: 100_000_000,
  cacheWriteNanoPerMillion: null,
  source: 'spec',
}

/** What a batch charges, and flex. */
const HALF = { price: { ...PRICE, lanePermille: 500 }, priceNo: null }

export interface JobPlan {
  /** The text of each row. */
  readonly rows: readonly string[]
  /** Rows of each chunk; the last may have fewer. */
  readonly chunkRows?: number
  readonly spec?: Partial<Spec>
  readonly execution?: Partial<Spec['execution']>
  readonly tenantNo?: number
}

/** How a worker begins. */
interface Starting {
  readonly chunks?: number
  readonly patienceMs?: number
  readonly untilIdle?: boolean
}

/** A worker at work. */
export interface AtWork {
  readonly id: string
  readonly view: Worker['view']
  readonly done: Promise<'stood_still' | 'left'>
  stop(): void
  /** As if the process were killed, but for its memory. */
  abandon(): void
}

/** What a test changes while workers are at work. */
interface Hands {
  /** Writes results as a test says; by default nowhere. */
  writeResults: JobDeps['writeResults']
  /** Called before each reading of a chunk's rows; may throw. */
  beforeRead: (chunkNo: number) => void
  /** While set, every write fails so. */
  breakage: StorageFailure | null
  /** Called when the ballast is freed. */
  onFreeBallast: () => void
  /** Writes that were refused. */
  refused: number
  /** Transactions that were begun. */
  writes: number
  /** While set, no job can be taken up. */
  noTakeUp: Error | null
  /** Called before each job that is taken up. */
  beforeTakeUp: (job: Job) => Promise<void>
  /** Called at each beat of a worker. */
  sayAlive: () => Promise<void>
  /** The most rows in flight over all jobs. */
  rowsAtOnce: number
  /** Models without a batch API. */
  readonly noBatches: Set<string>
  /** Models that may be asked as flex. */
  readonly flex: Set<string>
}

/** A store and queue as in production, with a lane, a clock and rows that a test has in its hands. */
export interface Workshop extends Hands {
  readonly store: Store
  readonly queue: Queue
  readonly lane: ScriptedLane
  readonly batches: ScriptedBatches
  readonly blob: Blob
  readonly governor: Governor
  readonly events: Events
  readonly runtime: Runtime
  readonly jobDeps: JobDeps
  /** Workers that are taken to live. */
  readonly alive: Set<string>
  job(plan: JobPlan): Promise<Job>
  start(job: Job | null, more?: Starting): AtWork
  /** Works on the job until it stands still. */
  work(job: Job): Promise<Job>
  /** Takes what is packed to the scripted provider, and back. Returns the way to stop it. */
  startBatcher(): () => Promise<void>
  reread(job: Job): Promise<Job>
  outcomes(job: Job): Promise<readonly StoredOutcome[]>
  /** Everything that was emitted under a name. */
  heard<N extends EventName>(name: N): readonly EventMap[N][]
  /** The job's counters say what its ledger and its outcomes say. */
  assertBalanced(job: Job): Promise<void>
  close(): Promise<void>
}

/** Opens an empty workshop in a folder of its own. */
export async function openWorkshop(
  options: { readonly runtime?: Runtime; readonly leaseMs?: number } = {},
): Promise<Workshop> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-worker-'))
  const runtime = options.runtime ?? hastyRuntime()
  const opened = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, ballastBytes: 1024 })
  const hands: Hands = {
    writeResults: async () => undefined,
    beforeRead: () => undefined,
    breakage: null,
    onFreeBallast: () => undefined,
    refused: 0,
    writes: 0,
    noTakeUp: null,
    beforeTakeUp: async () => undefined,
    sayAlive: async () => undefined,
    rowsAtOnce: Number.POSITIVE_INFINITY,
    noBatches: new Set(),
    flex: new Set(),
  }
  const guarded = async <T>(write: () => Promise<T>): Promise<T> => {
    if (hands.breakage === null) return await write()
    hands.refused += 1
    throw hands.breakage
  }
  const store: typeof opened = {
    ...opened,
    write: (work) => {
      hands.writes += 1
      return guarded(() => opened.write(work))
    },
    freeBallast: async () => hands.onFreeBallast(),
    chunks: { ...opened.chunks, claim: (...claim) => guarded(() => opened.chunks.claim(...claim)) },
    jobs: { ...opened.jobs, want: (...wish) => guarded(() => opened.jobs.want(...wish)) },
  }
  // Longer than any test on a busy machine: leases end when a test says so.
  const queue = createEmbeddedQueue({ database: store, runtime, leaseMs: options.leaseMs ?? 3_600_000 })
  const defects: unknown[] = []
  const events = createEvents((_name, error) => defects.push(error))
  const heard = new Map<EventName, unknown[]>()
  const lane = scriptedLane()
  const batches = scriptedBatches(lane)
  const blob = openFileBlob({ dir: join(dir, 'blob') })
  const batch: BatchDeps = { models: batches.models, apis: batches.apis, blob }
  const share = createOwnShare(runtime)
  const governor = createAdaptiveGovernor({ runtime, share, defaultMax: 64 })
  const alive = new Set<string>()
  const batchers: (() => Promise<void>)[] = []
  const specs = new Map<string, Spec>()
  const rowsOf = new Map<number, readonly string[]>()

  const specOf = (job: Job) => specs.get(job.specHash) as Spec
  const readRows = (job: Job, firstRow: number, count: number): readonly Row[] =>
    (rowsOf.get(job.jobNo) ?? [])
      .slice(firstRow, firstRow + count)
      .map((text, n) => ({ index: firstRow + n, id: String(firstRow + n), values: [text] }))
  const isGone = async (id: string) => !alive.has(id)
  const jobDeps: JobDeps = {
    store,
    queue,
    blob,
    runtime,
    isGone,
    specOf: async (job) => specOf(job),
    readRows: async (job, chunk) => {
      hands.beforeRead(chunk.chunkNo)
      return readRows(job, chunk.firstRow, chunk.rows)
    },
    writeResults: (...write) => hands.writeResults(...write),
    keepReport: async () => undefined,
    settleChunk: (ref) =>
      settleChunk(
        { store, runtime, batch, takeUp, readRows: async (chunk, run) => jobDeps.readRows(run.job, chunk) },
        ref,
      ),
  }
  const takeUp = async (job: Job): Promise<JobRun> => {
    if (hands.noTakeUp !== null) throw hands.noTakeUp
    await hands.beforeTakeUp(job)
    const spec = specOf(job)
    const models = [spec.model, ...spec.model.fallback]
    const { cache } = spec.execution
    return {
      job,
      roundBeganMs: (await store.jobs.round(job.jobNo, job.round))?.atMs ?? job.createdAtMs,
      spec,
      settings: job.settings,
      caps: (await store.jobs.controls([job.jobNo]))[0]?.caps ?? NO_CAPS,
      columns: ['body'],
      program: createRowProgram(spec, ['body']),
      targets: new Map(
        models.map(({ target: { id } }, n) => [
          n - 1,
          {
            modelId: id,
            account: id,
            price: PRICE,
            priceNo: null,
            cachesFrom: 1024,
            batch: hands.noBatches.has(id) ? null : HALF,
            flex: hands.flex.has(id) ? HALF : null,
          },
        ]),
      ),
      batch: spec.execution.batch ?? null,
      route: job.route ?? null,
      answerScope: answerScope(cache, job.specName, job.jobNo),
      fallbackRows: (await store.jobs.progress(job.jobNo)).counters.fallback,
      ended: { ok: 0, failed: 0 },
      stop: null,
    }
  }
  const depsOf = (workerId: string, patienceMs?: number): WorkerDeps => ({
    workerId,
    runtime,
    events,
    store,
    queue,
    governor,
    share,
    lane,
    batch,
    takeUp,
    readRows: async (chunk, run) => jobDeps.readRows(run.job, chunk),
    isGone,
    reclaims: true,
    sayAlive: () => hands.sayAlive(),
    rowsAtOnce: () => hands.rowsAtOnce,
    readInput: async () => null,
    finalize: (jobNo, round, signal) => finalize(jobDeps, jobNo, round, signal),
    fulfilWish: (jobNo) => fulfilWish(jobDeps, jobNo),
    mendQueue: (jobNo) => mendQueue(jobDeps, jobNo),
    ...(patienceMs !== undefined && { storagePatienceMs: patienceMs }),
  })

  const verbs: Omit<Workshop, keyof Hands> = {
    store,
    queue,
    lane,
    batches,
    blob,
    governor,
    events,
    runtime,
    jobDeps,
    alive,
    startBatcher() {
      const id = runtime.uuid()
      alive.add(id)
      const batcher = createBatcher({
        workerId: id,
        runtime,
        events,
        store,
        queue,
        blob,
        apis: batches.apis,
        policyOf: async () => ({ requests: null, queueTokens: null, pollMs: 1_000, priority: 'normal' }),
        isGone,
        times: { turnMs: 50, lingerMs: 0, look: { firstMs: 10, mostMs: 50 } },
      })
      let on = true
      const done = batcher.serve(() => on).finally(() => alive.delete(id))
      batchers.push(async () => {
        on = false
        await done
      })
      return batchers.at(-1) as () => Promise<void>
    },
    async job({ rows, chunkRows = 5, spec = {}, execution = {}, tenantNo = DEFAULT_TENANT }) {
      const base = specWith({ schema: TOPIC })
      const whole: Spec = { ...base, ...spec, execution: { ...base.execution, chunkRows, ...execution } }
      const specHash = sha256(JSON.stringify(whole))
      specs.set(specHash, whole)
      const chunks = Array.from({ length: Math.ceil(rows.length / chunkRows) }, (_, n) =>
        Math.min(chunkRows, rows.length - n * chunkRows),
      )
      const plan = newJob({ specHash, specName: whole.name, atMs: runtime.now(), tenantNo })
      const { job } = await store.jobs.create(plan)
      rowsOf.set(job.jobNo, rows)
      await store.chunks.appendSegment(segmentOf(job.jobNo, chunks))
      await closeManifest(store, job.jobNo)
      await store.write(async (tx) => {
        await store.jobs.change(tx, job.jobNo, ['created'], { to: 'queued', atMs: runtime.now() })
        await enqueueWork(jobDeps, tx, job)
      })
      return shop.reread(job)
    },
    start(job, more = {}) {
      const id = runtime.uuid()
      alive.add(id)
      const [stop, abandon] = [new AbortController(), new AbortController()]
      const worker = createWorker(depsOf(id, more.patienceMs))
      const done = worker
        .run({
          jobNo: job?.jobNo ?? null,
          chunks: more.chunks ?? 5,
          untilIdle: more.untilIdle ?? false,
          signal: stop.signal,
          abandon: abandon.signal,
        })
        .finally(() => alive.delete(id))
      // A test that expects the worse looks at it itself.
      done.catch(() => undefined)
      return {
        id,
        get view() {
          return worker.view
        },
        done,
        stop: () => stop.abort(),
        abandon: () => abandon.abort(),
      }
    },
    async work(job) {
      await shop.start(job).done
      return shop.reread(job)
    },
    reread: async (job) => (await store.jobs.getByNo(job.jobNo)) as Job,
    outcomes: (job) => store.rows.list(job.jobNo, 0, 100_000),
    heard: <N extends EventName>(name: N) => (heard.get(name) ?? []) as EventMap[N][],
    async assertBalanced(job) {
      const { counters, ledger } = await bothSums(store, job.jobNo)
      expect(counters).toEqual(ledger)
      const outcomes = await shop.outcomes(job)
      const counted = outcomes.map(countsOfOutcome).reduce(addCounters, NO_COUNTS)
      const all = (await store.jobs.progress(job.jobNo)).counters
      for (const name of ['succeeded', 'failed', 'skipped', 'cancelled', 'cached', 'retried', 'fallback'] as const)
        expect({ [name]: all[name] }).toEqual({ [name]: counted[name] })
    },
    async close() {
      for (const stop of batchers) await stop()
      governor.close()
      await opened.close()
      await rm(dir, { recursive: true, force: true })
      expect(defects).toEqual([])
    },
  }
  const shop: Workshop = Object.assign(hands, verbs)
  for (const name of [
    'rows.ended',
    'chunk.claimed',
    'chunk.done',
    'chunk.stale',
    'chunk.released',
    'attempt.ended',
    'storage.failing',
    'storage.back',
  ] as const) {
    const list: unknown[] = []
    heard.set(name, list)
    events.on(name, (event) => list.push(event))
  }
  return shop
}

/** `n` rows that say `row 0`, `row 1`, … */
export function rows(n: number): readonly string[] {
  return Array.from({ length: n }, (_, index) => `row ${index}`)
}

/** A fallback on another model, for these causes. */
export function fallback(id: string, when: Spec['model']['fallback'][number]['when'], maxShare: number | null = null) {
  return { target: target(id, { max_output_tokens: 200 }), price: null, when, maxShare }
}
