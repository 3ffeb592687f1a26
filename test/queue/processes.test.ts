import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import { openPresence } from '../../src/queue/presence.ts'
import { systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore, type SqliteStore } from '../../src/store/sqlite.ts'
import { claim, completeChunk, outcomeOf, queuedJob } from '../conformance/store-fixture.ts'
import { start } from '../store/processes.ts'

let dir: string
let store: SqliteStore
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-workers-'))
  store = await openSqliteStore({ path: join(dir, 'sluice.db'), runtime: systemRuntime(), ballastBytes: 0 })
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

const queueWith = (leaseMs: number) => createEmbeddedQueue({ database: store, runtime: systemRuntime(), leaseMs })

async function jobInQueue(chunkRows: readonly number[]): Promise<number> {
  const { jobNo } = await queuedJob(store, chunkRows)
  const chunks = await store.chunks.open(jobNo)
  const messages = chunks.map((ref) => ({ task: { kind: 'chunk', ...ref }, tenantNo: 1, priority: 'normal' }) as const)
  await store.write((tx) => queueWith(15_000).enqueue(tx, messages))
  return jobNo
}

const worker = (id: string, jobNo: number, leaseMs: number, wait = '') =>
  start(new URL('worker.main.ts', import.meta.url), dir, id, String(jobNo), String(leaseMs), wait)

it('never gives two processes the same chunk', { timeout: 60_000 }, async () => {
  const jobNo = await jobInQueue(Array.from({ length: 120 }, () => 5))
  const workers = ['a', 'b', 'c'].map((id) => worker(id, jobNo, 15_000))
  expect(await Promise.all(workers.map((told) => told.ended))).toStrictEqual([0, 0, 0])
  const took = workers.flatMap((told) => told.lines.filter((line) => line.startsWith('took')))
  expect(took).toHaveLength(120)
  expect(new Set(took).size).toBe(120)
  expect(took.every((line) => line.endsWith(' 1'))).toBe(true)
  const job = (await store.jobs.getByNo(jobNo))!
  expect(job).toMatchObject({ state: 'finalizing', openChunks: 0, counters: { succeeded: 600, failed: 0 } })
  expect((await store.rows.ended(jobNo, 0, 600)).size).toBe(600)
  expect(await queueWith(1).depth(jobNo)).toMatchObject({ ready: 0, leased: 0 })
})

it('hands on the chunk of a killed worker at once, whatever time its lease had left', async () => {
  const jobNo = await jobInQueue([2])
  const presence = await openPresence({ dir: join(dir, 'workers') })
  const queue = queueWith(3_600_000)
  const dead = worker('dead', jobNo, 3_600_000, 'wait')
  await dead.line('waits')
  expect(await queue.reclaim(presence.isGone)).toBe(0)
  dead.child.kill('SIGKILL')
  await dead.ended
  expect(await queue.reclaim(presence.isGone)).toBe(1)
  expect(await queue.fetch('next', 1)).toMatchObject([{ task: { chunkNo: 0 }, deliveries: 2 }])
})

it('lets a worker that was frozen past its lease write nothing any more', async () => {
  const jobNo = await jobInQueue([2, 1])
  const presence = await openPresence({ dir: join(dir, 'workers') })
  const leaseMs = 200
  const queue = queueWith(leaseMs)
  const frozen = worker('frozen', jobNo, leaseMs, 'wait')
  expect(await frozen.line('took')).toBe('took 0 1')
  await frozen.line('waits')
  frozen.child.kill('SIGSTOP')
  expect(await presence.isGone('frozen')).toBe(false)
  let taken = await queue.fetch('next', 1, { jobNo })
  while (taken[0]?.deliveries !== 2) {
    await store.write(async (tx) => {
      for (const other of taken) await queue.release(tx, other, 3_600_000)
    })
    taken = await queue.fetch('next', 1, { jobNo })
  }
  const held = await claim(store, jobNo, 0, 'next')
  expect(held.epoch).toBe(2)
  frozen.child.kill('SIGCONT')
  frozen.say('go on')
  expect(await frozen.ended).toBe(0)
  expect(frozen.lines.slice(2)).toStrictEqual(['renewed 0', 'passed 1', 'done 0 stale false'])
  expect((await store.rows.ended(jobNo, 0, 3)).size).toBe(0)
  expect(await store.chunks.get({ jobNo, chunkNo: 0 })).toMatchObject({ state: 'leased', owner: 'next', epoch: 2 })
  expect(await completeChunk(store, held, [outcomeOf(0), outcomeOf(1)])).toBe('completed')
})
