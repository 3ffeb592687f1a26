import { afterEach, beforeEach, expect, it } from 'vitest'
import { tellBatchEnd } from '../../src/job/tell-batch-end.ts'
import { openWorkshop, rows, type Workshop } from '../worker/workshop.ts'

let shop: Workshop
beforeEach(async () => {
  shop = await openWorkshop()
})
afterEach(() => shop.close())

const notify = JSON.stringify({ kind: 'webhook', address: { env: 'OPENAI_HOOK_URL' }, secretEnv: null })
const told = () => shop.store.outbox.list({ tenantNo: 1, limit: 100 })

it('the end of a batch is told once, however often whoever ended it was killed', async () => {
  const job = await shop.job({ rows: rows(1) })
  const batch = { id: `batch_${shop.runtime.uuid()}`, tenantNo: 1, jobNo: job.jobNo, notify }
  for (const atMs of [1_000, 2_000]) await tellBatchEnd(shop, batch, { status: 'completed', atMs })
  const notices = await told()
  expect(notices).toMatchObject([{ type: 'batch.completed', jobNo: job.jobNo, jobId: job.id, state: 'due' }])
  expect(JSON.parse(notices[0]?.body ?? '')).toMatchObject({ created_at: 1, data: { id: batch.id } })
})

it('a batch whose file did not pass has no job, and is told of all the same; one without a target is not', async () => {
  const batch = { id: `batch_${shop.runtime.uuid()}`, tenantNo: 1, jobNo: null, notify }
  await tellBatchEnd(shop, batch, { status: 'failed', atMs: 1_000 })
  await tellBatchEnd(shop, { ...batch, id: 'batch_other', notify: null }, { status: 'failed', atMs: 1_000 })
  expect(await told()).toMatchObject([{ type: 'batch.failed', jobNo: null, jobId: null }])
})
