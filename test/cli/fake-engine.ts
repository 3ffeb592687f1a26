import { AS_SPECIFIED, type Counters, type Job, NO_COUNTS } from '../../src/domain/job.ts'
import type { Outcome } from '../../src/domain/row.ts'
import type { StoredOutcome } from '../../src/domain/stored.ts'
import type { Engine, FleetStatus, JobStatus, LiveStatus, WorkerStatus } from '../../src/engine.ts'

export const JOB_ID = 'job_01934f5e-7c1f-7000-8000-0123456789ab'
export const CREATED_MS = Date.UTC(2026, 10, 22, 8, 0, 0)

/** A job in the middle of its work; `more` wins. */
export function aJob(more: Partial<Job> = {}): Job {
  return {
    jobNo: 1,
    id: JOB_ID,
    tenantNo: 1,
    specName: 'ticket-triage',
    specHash: '7c1f00aa',
    state: 'running',
    reason: null,
    detail: null,
    wanted: null,
    wantedReason: null,
    wantedDetail: null,
    trigger: 'cli',
    triggerRef: null,
    jobKey: null,
    round: 0,
    rowsTotal: 200,
    chunksTotal: 8,
    openChunks: 3,
    counters: NO_COUNTS,
    settings: AS_SPECIFIED,
    inputHash: '9ab2',
    input: { format: 'csv', files: 1, bytes: 4096, columns: ['id', 'body'], notes: [], unreadable: 0 },
    createdAtMs: CREATED_MS,
    startedAtMs: CREATED_MS,
    endedAtMs: null,
    activeMs: 0,
    activeSinceMs: CREATED_MS,
    version: '0.1.0',
    ...more,
  }
}

export function aLive(more: Partial<LiveStatus> = {}): LiveStatus {
  return {
    phase: 'working',
    inFlight: 16,
    concurrency: 64,
    rowsPerSecond: 7.4,
    tokensPerMinute: 91_000,
    etaMs: 16_000,
    retrying: [],
    lastCommitMs: CREATED_MS + 39_000,
    note: null,
    ...more,
  }
}

const HALFWAY: Counters = {
  ...NO_COUNTS,
  succeeded: 119,
  failed: 3,
  cached: 3,
  attempts: 130,
  inputTokens: 41_388,
  cachedTokens: 12_160,
  outputTokens: 3561,
  costNano: 21_400_000,
}

/** 122 of 200 rows done, with the live figures of the process that works on it. */
export function aStatus(more: Partial<JobStatus> = {}): JobStatus {
  return {
    job: aJob(),
    counters: HALFWAY,
    chunksDone: 5,
    rowsDone: 122,
    rowsAtStart: 0,
    elapsedMs: 41_000,
    live: aLive(),
    causes: [
      { cause: 'schema_invalid', rows: 2 },
      { cause: 'content_filtered', rows: 1 },
    ],
    exitCode: 6,
    model: 'openai/gpt-5-mini',
    lane: 'live',
    deadlineAtMs: null,
    batches: null,
    turnarounds: null,
    budget: null,
    ...more,
  }
}

/** The same job when it is over. */
export function aFinished(more: Partial<JobStatus> = {}): JobStatus {
  return aStatus({
    job: aJob({ state: 'completed', openChunks: 0, endedAtMs: CREATED_MS + 41_000 }),
    counters: { ...HALFWAY, succeeded: 196, failed: 4, attempts: 210 },
    chunksDone: 8,
    rowsDone: 200,
    live: null,
    exitCode: 0,
    ...more,
  })
}

export function anOutcome(more: Partial<Outcome> = {}): StoredOutcome {
  return {
    chunkNo: 0,
    rowIndex: 43,
    rowId: 'r_0044',
    state: 'failed',
    cause: 'schema_invalid',
    message: 'topic: "delivery time" is not one of billing, login',
    output: null,
    reply: '{"topic":"delivery time"}',
    attempts: 3,
    model: 'openai/gpt-5-mini',
    lane: 'live',
    inputTokens: 636,
    outputTokens: 54,
    costNano: 100_000,
    latencyMs: 2100,
    requestHash: 'aa',
    specHash: '7c1f00aa',
    round: 0,
    endedAtMs: CREATED_MS + 20_000,
    fallback: false,
    ...more,
  }
}

export const WORKER_ID = '5a3c0a51-0d3e-4c0e-9d0c-2f1f5a1c7e01'

/** One worker that lives and holds a chunk, and one that died. */
export function aFleet(more: Partial<FleetStatus> = {}): FleetStatus {
  const member = {
    workerId: WORKER_ID,
    host: 'box-1',
    pid: 42,
    version: '0.1.0',
    job: null,
    chunksHeld: 1,
    chunksMax: 5,
    concurrency: 64,
    roles: ['janitor'],
    startedAtMs: CREATED_MS,
    silentMs: 400,
    gone: false,
  }
  return {
    workers: [
      member,
      {
        ...member,
        workerId: 'dead',
        job: JOB_ID,
        chunksHeld: 0,
        concurrency: null,
        roles: [],
        silentMs: 65_000,
        gone: true,
      },
    ],
    chunks: [{ job: JOB_ID, chunkNo: 3, workerId: WORKER_ID, sinceMs: CREATED_MS + 11_000 }],
    queue: { ready: 120, delayed: 2, leased: 1, oldestReadyMs: 4_000 },
    jobs: [{ tenantNo: 1, state: 'running', jobs: 1 }],
    ...more,
  }
}

/** A worker in the middle of its work. */
export function aWorker(more: Partial<WorkerStatus> = {}): WorkerStatus {
  return {
    workerId: WORKER_ID,
    phase: 'working',
    jobs: 2,
    chunks: 5,
    chunksMax: 5,
    inFlight: 48,
    concurrency: 64,
    rowsDone: 12_345,
    rowsPerSecond: 123,
    tokensPerMinute: 9_000,
    roles: ['janitor'],
    lastCommitMs: CREATED_MS,
    note: null,
    ...more,
  }
}

/** An engine of canned answers that notes which verbs were called. A verb that a test does not expect throws. */
export function fakeEngine(verbs: Partial<Engine>): { readonly engine: Engine; readonly calls: string[] } {
  const calls: string[] = []
  const engine = new Proxy({} as Engine, {
    get: (_target, name) => {
      // Asked for by `await`: an engine is no promise.
      if (name === 'then') return undefined
      const verb = verbs[name as keyof Engine] as ((...args: unknown[]) => unknown) | undefined
      return (...args: unknown[]) => {
        calls.push([String(name), ...args.filter((arg) => typeof arg === 'string')].join(' '))
        if (verb !== undefined) return verb(...args)
        if (name === 'close') return Promise.resolve()
        throw new Error(`the fake engine has no ${String(name)}`)
      }
    },
  })
  return { engine, calls }
}
