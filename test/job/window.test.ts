import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect, it } from 'vitest'
import type { ChunkClaim } from '../../src/domain/chunk.ts'
import { isTerminal, type Job } from '../../src/domain/job.ts'
import { cancel, fulfilWish, mendQueue, pause, resume } from '../../src/job/control.ts'
import { enqueueWork } from '../../src/job/enqueue.ts'
import { finalize } from '../../src/job/finalize.ts'
import type { JobDeps } from '../../src/job/job-deps.ts'
import { rebuildQueue } from '../../src/job/rebuild.ts'
import { retry } from '../../src/job/retry.ts'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import type { Delivery } from '../../src/queue/queue.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'
import { enqueueNext, type JobRun } from '../../src/worker/job-run.ts'
import {
  answerRows,
  closeManifest,
  failedOf,
  newJob,
  outcomeOf,
  queuedJob,
  SPEC_HASH,
  segmentOf,
} from '../conformance/store-fixture.ts'
import { spec } from '../row/fixture.ts'

const LEASE_MS = 1_000
const TEXT = { type: 'object', properties: { topic: { type: 'string' } }, required: ['topic'] } as const

interface Held {
  readonly worker: string
  readonly delivery: Delivery
  readonly claim: ChunkClaim
  readonly firstRow: number
  readonly rows: number
}

/** A store and a queue with a small window, and what workers and people may do to them, one step after the other. */
async function openWindow(window: number) {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-window-'))
  let now = 1_700_000_000_000
  const runtime = { ...systemRuntime(), now: () => now }
  const store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime, ballastBytes: 0 })
  const queue = createEmbeddedQueue({ database: store, runtime, leaseMs: LEASE_MS })
  const dead = new Set<string>()
  const ranSpec = spec({ schema: TEXT })
  const deps: JobDeps = {
    store,
    queue,
    runtime,
    window,
    isGone: async (worker) => dead.has(worker),
    specOf: async () => ranSpec,
    readRows: async (_job, chunk) =>
      Array.from({ length: chunk.rows }, (_, n) => ({
        index: chunk.firstRow + n,
        id: String(chunk.firstRow + n),
        values: [''],
      })),
    writeResults: async () => undefined,
    keepReport: async () => undefined,
    blob: { removeAll: async () => undefined },
    settleChunk: async () => undefined,
  }
  const held: Held[] = []
  let workers = 0

  const runOf = async (jobNo: number) => ({ job: await reread(jobNo), spec: ranSpec }) as JobRun
  const reread = async (jobNo: number): Promise<Job> => (await store.jobs.getByNo(jobNo))!
  /** As a worker takes a message in: it claims the chunk, or puts the message away. */
  const fetch = async (limit: number) => {
    workers += 1
    const worker = `worker ${workers}`
    for (const delivery of await queue.fetch(worker, limit)) {
      const { task } = delivery
      if (task.kind === 'finalize') {
        await finalize(deps, task.jobNo, task.round, new AbortController().signal)
        await store.write((tx) => queue.complete(tx, delivery))
        continue
      }
      if (task.kind !== 'chunk') continue
      const claimed = await store.chunks.claim(task, worker, delivery.deliveries > 1, now)
      if (claimed === null) {
        await decline(delivery)
        continue
      }
      const { jobNo, chunkNo, epoch, firstRow, rows } = claimed.chunk
      held.push({ worker, delivery, claim: { jobNo, chunkNo, epoch }, firstRow, rows })
    }
  }
  const decline = (delivery: Delivery) =>
    store.write(async (tx) => {
      const { task } = delivery
      if (task.kind !== 'chunk') return
      const chunk = await store.chunks.get(task)
      const job = await reread(task.jobNo)
      const isOpen = chunk !== null && chunk.state !== 'done' && chunk.state !== 'failed'
      if (isOpen && (job.state === 'queued' || job.state === 'running')) await queue.release(tx, delivery, 1_000)
      else await queue.complete(tx, delivery)
    })
  /** As the recorder's commit does; a stale holder changes nothing. */
  const end = async ({ claim, delivery, firstRow, rows }: Held, how: 'ok' | 'dead' | 'given up') => {
    const job = await reread(claim.jobNo)
    const ended = await store.rows.ended(claim.jobNo, firstRow, rows)
    const open = Array.from({ length: rows }, (_, n) => firstRow + n).filter((row) => !ended.has(row))
    const outcome = how === 'ok' ? outcomeOf : failedOf
    const more = { round: job.round }
    if (how !== 'given up')
      await answerRows(
        store,
        claim,
        open.map((row) => outcome(row, more)),
      )
    await store.write(async (tx) => {
      const result =
        how === 'given up'
          ? await store.chunks.fail(
              tx,
              claim,
              'died',
              open.map((index) => ({ index, id: String(index) })),
              now,
            )
          : await store.chunks.complete(tx, claim, now)
      if (result === 'stale') return
      await queue.complete(tx, delivery)
      const run = await runOf(claim.jobNo)
      const finalizer = { kind: 'finalize', jobNo: claim.jobNo, round: job.round } as const
      if (result === 'last') await queue.enqueue(tx, [{ task: finalizer, tenantNo: DEFAULT_TENANT, priority: 'high' }])
      else await enqueueNext({ store, queue }, tx, run)
    })
  }
  const giveBack = async ({ claim, delivery }: Held) => {
    await store.write(async (tx) => {
      if (await store.chunks.release(tx, claim, 'ready')) await queue.release(tx, delivery, 0)
    })
    await fulfilWish(deps, claim.jobNo)
  }
  /** The rule itself, looked at in one statement. */
  const faults = async () => {
    const workable = sql`j.state in ('queued', 'running') and j.wanted is null`
    const message = sql`from messages m where m.task = 'chunk/' || c.job_no || '/' || c.chunk_no`
    const { rows } = await sql<{ fault: string }>`
      select 'lost ' || c.chunk_no as fault from jobs j join chunks c on c.job_no = j.job_no
      where ${workable} and c.state = 'ready' and c.chunk_no < j.queued_to and not exists (select 1 ${message})
      union all
      select 'stuck ' || j.job_no from jobs j
      where ${workable} and not exists (select 1 from messages m where m.job_no = j.job_no)
      union all
      select 'flood ' || j.job_no from jobs j
      where (select count(*) from messages m where m.job_no = j.job_no and m.worker is null) > ${window + 4}`.execute(
      store.reader,
    )
    return rows.map((row) => row.fault)
  }
  return {
    store,
    queue,
    deps,
    held,
    fetch,
    end,
    giveBack,
    faults,
    reread,
    dies(worker: string) {
      dead.add(worker)
      for (const one of held.filter((other) => other.worker === worker)) held.splice(held.indexOf(one), 1)
    },
    pass(ms: number) {
      now += ms
    },
    async close() {
      await store.close()
      await rm(dir, { recursive: true })
    },
  }
}

type Window = Awaited<ReturnType<typeof openWindow>>

const STEPS = ['fetch', 'fetch', 'ok', 'ok', 'ok', 'dead', 'given up', 'give back', 'die', 'freeze'] as const
const VERBS = ['pause', 'resume', 'resume', 'cancel', 'retry', 'retry', 'mend', 'rebuild', 'lose all'] as const

const step = fc.record({
  kind: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...STEPS) },
    { weight: 1, arbitrary: fc.constantFrom(...VERBS) },
  ),
  pick: fc.nat(20),
})

const plan = fc.record({
  window: fc.integer({ min: 1, max: 4 }),
  jobs: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 3 }),
  steps: fc.array(step, { maxLength: 60 }),
})

type Plan = typeof plan extends fc.Arbitrary<infer P> ? P : never

/** A job that is to pause stands in the line while another is worked to its end. */
const WISHED: Plan = {
  window: 4,
  jobs: [12, 12],
  steps: [
    { kind: 'fetch', pick: 2 },
    { kind: 'pause', pick: 1 },
    { kind: 'ok', pick: 1 },
  ],
}

it('whatever happens: each ready chunk is in the queue or beyond the cursor, no job that has work left has an empty queue, and all jobs end', async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ window, jobs, steps }) => {
      const place = await openWindow(window)
      try {
        const jobNos = await Promise.all(jobs.map((chunks) => jobInQueue(place, chunks)))
        for (const { kind, pick } of steps) {
          await take(place, kind, pick, jobNos[pick % jobNos.length] as number)
          expect(await place.faults()).toEqual([])
        }
        await workToTheEnd(place, jobNos)
      } finally {
        await place.close()
      }
    }),
    { numRuns: 60, endOnFailure: true, examples: [[WISHED]] },
  )
}, 120_000)

async function jobInQueue({ store, deps }: Window, chunks: number): Promise<number> {
  const sizes = Array.from({ length: chunks }, (_, n) => 1 + (n % 2))
  const job = await queuedJob(store, sizes, { specHash: SPEC_HASH })
  await store.write((tx) => enqueueWork(deps, tx, job))
  return job.jobNo
}

async function take(place: Window, kind: (typeof STEPS)[number] | (typeof VERBS)[number], pick: number, jobNo: number) {
  const { deps, held, store } = place
  const job = await place.reread(jobNo)
  const one = held[pick % Math.max(1, held.length)]
  const mine = (): Held => held.splice(held.indexOf(one as Held), 1)[0] as Held
  const over = isTerminal(job.state)
  switch (kind) {
    case 'fetch':
      return await place.fetch(1 + (pick % 3))
    case 'ok':
    case 'dead':
    case 'given up':
      return one && (await place.end(mine(), kind))
    case 'give back':
      return one && (await place.giveBack(mine()))
    case 'die':
      if (one) place.dies(one.worker)
      return await place.queue.reclaim(deps.isGone)
    case 'freeze':
      // Leases run out; whoever held something goes on later, and finds it gone or still its own.
      return place.pass(LEASE_MS + 1)
    case 'pause':
      return over || job.state === 'finalizing' ? undefined : await pause(deps, job)
    case 'resume':
      return over || job.wanted === 'cancel' ? undefined : await resume(deps, job)
    case 'cancel':
      return over || job.state === 'finalizing' ? undefined : await cancel(deps, job)
    case 'retry':
      return over ? await retry(deps, job, {}, SPEC_HASH) : undefined
    case 'mend':
      return await mendQueue(deps, jobNo)
    case 'rebuild':
      return await rebuildQueue(deps, DEFAULT_TENANT)
    case 'lose all':
      await store.write((tx) => sql`delete from messages`.execute(store.handle(tx)))
      return await rebuildQueue(deps, DEFAULT_TENANT)
  }
}

async function workToTheEnd(place: Window, jobNos: readonly number[]): Promise<void> {
  for (const one of place.held.splice(0)) await place.giveBack(one)
  for (const jobNo of jobNos) {
    for (let turn = 0; turn < 200; turn += 1) {
      const job = await place.reread(jobNo)
      if (isTerminal(job.state)) break
      if (job.state === 'paused') await resume(place.deps, job)
      if (job.wanted !== null) await fulfilWish(place.deps, jobNo)
      place.pass(LEASE_MS + 1)
      await place.fetch(3)
      for (const one of place.held.splice(0)) await place.end(one, 'ok')
    }
    expect(await place.reread(jobNo)).toMatchObject({ state: expect.stringMatching(/completed|failed|cancelled/) })
  }
}

it('puts a window of a long job into the queue, and lets one in for each that ends', async () => {
  const place = await openWindow(5)
  const jobNo = await jobInQueue(place, 40)
  expect(await place.queue.depth(jobNo)).toMatchObject({ ready: 5 })
  await place.fetch(3)
  for (const one of place.held.splice(0)) await place.end(one, 'ok')
  expect(await place.queue.depth(jobNo)).toMatchObject({ ready: 5, leased: 0 })
  await workToTheEnd(place, [jobNo])
  expect(await place.reread(jobNo)).toMatchObject({ state: 'completed', counters: { succeeded: 60 } })
  await place.close()
})

it('queues what intake adds while nothing is queued yet, and all of it at its end', async () => {
  const place = await openWindow(5)
  const { store, deps } = place
  const { job } = await store.jobs.create(newJob())
  await store.chunks.appendSegment(segmentOf(job.jobNo, [1, 1, 1]))
  await store.write((tx) => store.chunks.nextReady(tx, job.jobNo, 9))
  await store.chunks.appendSegment(segmentOf(job.jobNo, [1, 1], { segmentNo: 1, firstChunk: 3, firstRow: 3 }))
  const next = await store.write((tx) => store.chunks.nextReady(tx, job.jobNo, 9))
  expect(next.refs.map((ref) => ref.chunkNo)).toStrictEqual([3, 4])
  await closeManifest(store, job.jobNo)
  await store.write(async (tx) => {
    await store.jobs.change(tx, job.jobNo, ['created'], { to: 'queued', atMs: 0 })
    await enqueueWork(deps, tx, job)
  })
  expect(await place.queue.depth(job.jobNo)).toMatchObject({ ready: 5 })
  await place.close()
})

it('takes a priority that was set meanwhile for the chunks that come in after it', async () => {
  const place = await openWindow(1)
  const { store } = place
  const jobNo = await jobInQueue(place, 3)
  await store.jobs.set(jobNo, { priority: 'high' }, 0)
  expect(await store.write((tx) => store.chunks.nextReady(tx, jobNo, 1))).toStrictEqual({
    refs: [{ jobNo, chunkNo: 1 }],
    priority: 'high',
  })
  await place.close()
})
