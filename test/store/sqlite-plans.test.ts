import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import { sha256, systemRuntime } from '../../src/runtime.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { claim, completeChunk, failedOf, outcomeOf, queuedJob, T } from '../conformance/store-fixture.ts'

/** What a million rows allow nobody to do: go over a table, or over all rows of a job. */
const SLOW = [
  /^SCAN (jobs|chunks|rows|attempts|answers)\b(?!.*INDEX (rows_dead|jobs_wished|chunks_counting)$)/,
  /^SEARCH jobs USING INTEGER PRIMARY KEY \(rowid>\?\)$/,
  /^SEARCH rows USING PRIMARY KEY \(bucket=\? AND job_no=\? AND step=\?\)$/,
  /^SEARCH attempts USING PRIMARY KEY \(job_no=\?\)$/,
  /^SEARCH chunks USING PRIMARY KEY \(job_no=\?\)$/,
  /^SCAN messages$/,
]

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-plans-'))
})
afterEach(async () => {
  vi.restoreAllMocks()
  await rm(dir, { recursive: true })
})

it('reads what status, resume and a worker need without going over the rows', async () => {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const path = join(dir, 'sluice.db')
  const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 0 })
  const queue = createEmbeddedQueue({ database: store, runtime: systemRuntime() })
  const { jobNo } = await queuedJob(store, [2, 2, 2])
  await completeChunk(store, await claim(store, jobNo, 0), [outcomeOf(0), failedOf(1, { rowId: 'T-1' })])
  const opening = prepare.mock.calls.length

  await store.write((tx) =>
    queue.enqueue(tx, [{ task: { kind: 'chunk', jobNo, chunkNo: 1 }, tenantNo: 1, priority: 'low' }]),
  )
  await queue.fetch('worker', 5)
  await queue.fetch('worker', 5, { jobNo })
  await queue.reclaim(async () => false)
  const held = await claim(store, jobNo, 1)
  await store.jobs.progress(jobNo)
  await store.jobs.controls([jobNo])
  await store.fleet.active(0, 5)
  await store.fleet.wished(5)
  await store.fleet.holders(5)
  await store.fleet.isGone('worker')
  await store.jobs.list(1, { limit: 5, states: ['running'] })
  await store.chunks.list(jobNo, 2, 5)
  await store.rows.ended(jobNo, 2, 2)
  await store.rows.list(jobNo, 0, 5, ['failed'])
  await store.rows.byId(jobNo, 'T-1')
  await store.rows.causes(jobNo)
  await store.attempts.ofChunk(held, 0)
  await store.attempts.ofRow(jobNo, 1)
  await store.attempts.list(jobNo, { chunkNo: 0, id: '00000000-0000-7000-8000-000000000000' }, 5)
  await store.answers.find(1, 'spec:triage', [sha256('a')])
  await completeChunk(store, held, [outcomeOf(2), outcomeOf(3)])
  await store.write((tx) => store.chunks.takeBack(tx, jobNo))
  await store.write((tx) => store.chunks.forgiveDeaths(tx, jobNo))
  await store.write((tx) =>
    store.chunks.cancelOpen(
      tx,
      { jobNo, chunkNo: 2 },
      [
        { index: 4, id: '4' },
        { index: 5, id: '5' },
      ],
      T,
    ),
  )
  await store.write((tx) => store.rows.reopen(tx, jobNo, 1, { causes: ['refused'] }))
  const statements = [...new Set(prepare.mock.calls.slice(opening).map(([sql]) => sql))]
  await store.close()

  const file = new DatabaseSync(path)
  const slow = statements.flatMap((statement) => {
    const plan = file.prepare(`explain query plan ${statement}`).all() as { detail: string }[]
    return plan.filter(({ detail }) => SLOW.some((one) => one.test(detail))).map(({ detail }) => [statement, detail])
  })
  file.close()
  expect(statements.length).toBeGreaterThan(30)
  expect(slow).toStrictEqual([])
})
