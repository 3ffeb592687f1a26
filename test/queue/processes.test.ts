import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPresence, type Presence } from '../../src/queue/presence.ts'
import { claim, completeChunk, outcomeOf, queuedJob } from '../conformance/store-fixture.ts'
import { ask, freshDatabase, noPostgres } from '../postgres/database.ts'
import { start } from '../store/processes.ts'
import { type BackEnd, openBackEnd } from './back-end.ts'

/** Where several processes meet. */
interface Place {
  /** What `openBackEnd` takes. */
  readonly name: string
  /** Lets the leases of everybody end who does not renew them. */
  endLeases(): Promise<void>
  remove(): Promise<void>
}

const FOREVER_MS = 3_600_000
const SHORT_MS = 200

describe('embedded', () => {
  processTests(async (dir) => ({
    name: dir,
    // They are short, and whoever waits for a message looks for one until it is there.
    endLeases: async () => undefined,
    remove: async () => undefined,
  }))
})

describe.skipIf(noPostgres !== null)(`pg-boss (${noPostgres ?? 'PostgreSQL is there'})`, () => {
  processTests(async () => {
    const { url, drop } = await freshDatabase()
    return {
      name: url,
      async endLeases() {
        const later = `select pg_catalog.now() + interval '11 seconds'`
        await ask(
          url,
          `create or replace function sluice_queue.job_now() returns timestamptz as $$ ${later} $$ language sql stable`,
        )
      },
      remove: drop,
    }
  })
})

function processTests(openPlace: (dir: string) => Promise<Place>): void {
  let dir: string
  let place: Place
  let here: BackEnd
  let presence: Presence
  const begin = async (leaseMs: number) => {
    here = await openBackEnd(place.name, leaseMs)
    presence = await openPresence({ dir: join(dir, 'workers') })
  }
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sluice-workers-'))
    place = await openPlace(dir)
  })
  afterEach(async () => {
    await here.store.close()
    await place.remove()
    await rm(dir, { recursive: true })
  })

  const jobInQueue = async (chunkRows: readonly number[]): Promise<number> => {
    const { jobNo } = await queuedJob(here.store, chunkRows)
    const chunks = await here.store.chunks.open(jobNo)
    const messages = chunks.map(
      (ref) => ({ task: { kind: 'chunk', ...ref }, tenantNo: 1, priority: 'normal' }) as const,
    )
    await here.store.write((tx) => here.queue.enqueue(tx, messages))
    return jobNo
  }
  const worker = (id: string, jobNo: number, leaseMs: number, wait = '') =>
    start(
      new URL('worker.main.ts', import.meta.url),
      place.name,
      join(dir, 'workers'),
      id,
      String(jobNo),
      String(leaseMs),
      wait,
    )

  it('never gives two processes the same chunk', { timeout: 60_000 }, async () => {
    await begin(15_000)
    const { store, queue } = here
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
    expect(await queue.depth(jobNo)).toMatchObject({ ready: 0, leased: 0 })
  })

  it('hands on the chunk of a killed worker at once, whatever time its lease had left', async () => {
    await begin(FOREVER_MS)
    const { queue } = here
    const jobNo = await jobInQueue([2])
    const dead = worker('dead', jobNo, FOREVER_MS, 'wait')
    await dead.line('waits')
    expect(await queue.reclaim(presence.isGone)).toBe(0)
    dead.child.kill('SIGKILL')
    await dead.ended
    expect(await queue.reclaim(presence.isGone)).toBe(1)
    expect(await queue.fetch('next', 1)).toMatchObject([{ task: { chunkNo: 0 }, deliveries: 2 }])
  })

  it('lets a worker that was frozen past its lease write nothing any more', async () => {
    await begin(SHORT_MS)
    const { store, queue } = here
    const jobNo = await jobInQueue([2, 1])
    const frozen = worker('frozen', jobNo, SHORT_MS, 'wait')
    expect(await frozen.line('took')).toBe('took 0 1')
    await frozen.line('waits')
    frozen.child.kill('SIGSTOP')
    expect(await presence.isGone('frozen')).toBe(false)
    await place.endLeases()
    let taken = await queue.fetch('next', 1, { jobNo })
    while (taken[0]?.deliveries !== 2) {
      await store.write(async (tx) => {
        for (const other of taken) await queue.release(tx, other, FOREVER_MS)
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
}
