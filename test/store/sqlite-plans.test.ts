import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { failure } from '../../src/domain/failure.ts'
import { createEmbeddedQueue } from '../../src/queue/embedded.ts'
import { sha256, systemRuntime } from '../../src/runtime.ts'
import type { NewPart } from '../../src/store/role/batches.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { answered, collect, newPart, park, planned } from '../conformance/batches-fixture.ts'
import {
  claim,
  completeChunk,
  factOf,
  failedOf,
  intentOf,
  nextId,
  outcomeOf,
  queuedJob,
  record,
  T,
} from '../conformance/store-fixture.ts'
import { anOpenAiBatch } from '../conformance/store-service-batches.ts'
import { aFile, partOf } from '../conformance/store-service-files.ts'
import { aRequest } from '../conformance/store-service-requests.ts'
import { aSpec } from '../conformance/store-service-specs.ts'
import { aKey } from '../conformance/store-service-tenants.ts'

/** What a million rows allow nobody to do: go over a table, or over all rows of a job. */
const SLOW = [
  /^SCAN (jobs|chunks|rows|attempts|answers|batch_parts|budget_holdings)\b(?!.*INDEX (rows_dead|jobs_wished|jobs_waiting|jobs_at_work|chunks_counting|batch_parts_packed)$)/,
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

/** Every statement on parts, shards and holdings, once. */
async function useBatches(store: Store): Promise<void> {
  const { jobNo } = await queuedJob(store, [2, 2, 2])
  const limits = { nano: 9_000, tokens: null }
  const amount = { nano: 4_000, tokens: 440 }
  const drawing = { jobNo, workerId: 'worker', specLimits: limits, least: amount, wish: amount, rest: amount }
  await store.budgets.draw(drawing)
  const parts = []
  for (const chunkNo of [0, 1]) {
    const held = await claim(store, jobNo, chunkNo)
    parts.push(...(await park(store, held, [newPart(held, [2 * chunkNo])], 'worker')))
  }
  await store.budgets.draw({ ...drawing, least: { nano: 9_000, tokens: 0 } })
  const [first, second] = parts as [NewPart, NewPart]
  await store.batches.waiting()
  await store.batches.packed(1, first.kind.key, 5)
  const shard = await planned(store, [first])
  await store.batches.giveBack(shard, { note: null })
  const again = await planned(store, [first])
  await store.batches.shard(again.id)
  await store.batches.known(['batch'])
  await store.batches.shards({ states: ['planned'], jobNo }, 5)
  await store.batches.outstanding(jobNo)
  await store.batches.turnarounds(first.kind.account, 5)
  await store.batches.wantCancel(jobNo, T)
  await collect(store, again, answered([first]))
  await planned(store, [second])
  await store.write((tx) => store.batches.withdraw(tx, jobNo, failure('cancelled', 'no')))
  await store.write((tx) => store.chunks.rewind(tx, jobNo))
  await store.write((tx) => store.chunks.nextReady(tx, jobNo, 5))
  await store.batches.toSettle(jobNo, 5)
  const claimed = (await store.chunks.claim(first, 'worker', false, T, 'settle'))!
  const held = { jobNo, chunkNo: first.chunkNo, epoch: claimed.chunk.epoch }
  const facts = [factOf(intentOf(held, 0, { lane: 'batch' }))]
  await store.batches.ofChunk(held)
  await store.batches.spent({ jobNo })
  await store.batches.spent({ shardIds: [again.id] })
  await store.write((tx) => store.budgets.bookParts(tx, [{ ...held, partId: first.id, facts }]))
  await record(store, held, { facts })
  await store.write((tx) => store.batches.close(tx, [first.id]))
  await store.write((tx) => store.chunks.release(tx, held, 'parked'))
  await store.write((tx) =>
    store.chunks.cancelOpen(
      tx,
      second,
      [2, 3].map((n) => ({ index: n, id: String(n) })),
      T,
    ),
  )
  await store.write((tx) => store.budgets.clear(tx, jobNo))
}

it('answers what a server of many tenants asks without going over what others have', async () => {
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const path = join(dir, 'sluice.db')
  const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 0 })
  const opening = prepare.mock.calls.length
  const file = aFile()
  await store.files.add(file)
  await store.files.append(1, file.id, partOf(0, 4))
  await store.files.parts(1, file.id)
  await store.files.list(1, { limit: 5, after: file.id })
  await store.files.list(1, { limit: 5, purpose: 'batch' })
  await store.files.expired(T, 5)
  await store.files.spentInputs(5)
  await store.files.reopen(1, file.id)
  await store.files.remove(1, file.id)
  const batch = anOpenAiBatch()
  await store.openAiBatches.add(batch)
  await store.openAiBatches.set(1, batch.id, { filesAtMs: T })
  await store.openAiBatches.byJob(5)
  await store.openAiBatches.list(1, { limit: 5, after: batch.id })
  await store.openAiBatches.due(T, 5)
  const key = aKey()
  await store.keys.add(key)
  await store.keys.find(key.id)
  await store.keys.list(1)
  await store.keys.touch(key.id, T)
  await store.audit.list(1, { limit: 5, before: 9 })
  await store.audit.list(1, { limit: 5, subject: 'job_1' })
  await store.requests.take(aRequest('once'))
  await store.requests.take(aRequest('once', { atMs: T + 90_000 }))
  await store.requests.giveBack(1, 'once')
  await store.requests.forget(T)
  await store.specs.publish(aSpec('triage', 'a'), null)
  await store.specs.version(1, 'triage', 1)
  await store.specs.versions(1, 'triage', { limit: 5, before: 9 })
  await store.specs.published(1, { limit: 5, after: 'a' })
  const statements = [...new Set(prepare.mock.calls.slice(opening).map(([sql]) => sql))]
  await store.close()

  const database = new DatabaseSync(path)
  const scans = statements.flatMap((statement) => {
    const plan = database.prepare(`explain query plan ${statement}`).all() as { detail: string }[]
    return plan
      .map(({ detail }) => detail)
      .filter((detail) => /^SCAN (?!openai_batches USING INDEX openai_batches_open|tenants$)/.test(detail))
  })
  database.close()
  expect(statements.length).toBeGreaterThan(25)
  expect(scans).toEqual([])
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
  await store.jobs.progressOf([jobNo, jobNo + 1])
  await store.jobs.controls([jobNo])
  await store.jobs.inTurn(null)
  await store.jobs.inTurn(1)
  await store.fleet.active(0, 5)
  await store.fleet.standing()
  await store.fleet.wished(5)
  await store.fleet.holders(5)
  await store.fleet.holders(5, jobNo)
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
  await useBatches(store)
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

it('takes notices in turn without sorting what waits, or going over it', async () => {
  const path = join(dir, 'sluice.db')
  const store = await openSqliteStore({ path, runtime: systemRuntime(), ballastBytes: 0 })
  const target = { kind: 'webhook', address: { env: 'HOOK_URL' }, secretEnv: null } as const
  for (const n of [1, 2]) {
    const notice = { id: `msg_${nextId()}`, targetNo: 0, target, type: 'batch.completed', body: '{}' } as const
    await store.outbox.putAlone({ tenantNo: n, jobNo: null }, notice, T)
  }
  const prepare = vi.spyOn(DatabaseSync.prototype, 'prepare')
  const turns = { perTarget: 4, perTenant: 16, busyTargets: [], busyTenants: [] }
  expect(await store.outbox.claim(T, T + 60, 32, turns)).toHaveLength(2)
  const statements = [...new Set(prepare.mock.calls.map(([sql]) => sql))].filter((sql) => sql.includes('outbox'))
  await store.close()
  const database = new DatabaseSync(path)
  const plans = statements.flatMap((sql) => database.prepare(`explain query plan ${sql}`).all() as { detail: string }[])
  database.close()
  const found = plans.map(({ detail }) => detail)
  // The first of all lines is where the index begins.
  expect(found.filter((detail) => /TEMP B-TREE|^SCAN outbox(?! USING INDEX outbox_lines$)/.test(detail))).toEqual([])
  expect(found).toContain('SEARCH outbox USING INDEX outbox_lines (tenant_no=? AND <expr>>?)')
})
