import { expect, it, onTestFinished } from 'vitest'
import type { EngineDeps } from '../../src/engine/engine-deps.ts'
import { readInput } from '../../src/engine/read-input.ts'
import { newJob } from '../conformance/store-fixture.ts'
import { openWorkshop } from '../worker/workshop.ts'

it('a defect while the input is read ends the job, and this process hears of it and of the end', async () => {
  const shop = await openWorkshop()
  onTestFinished(() => shop.close())
  const { job } = await shop.store.jobs.create(newJob())
  const heard: unknown[] = []
  const events = { emit: (name: string, event: unknown) => void heard.push([name, event]) }
  const broken = async () => {
    throw new TypeError('a defect, with what was read')
  }
  const deps = { store: { ...shop.store, specs: { get: broken } }, runtime: shop.jobDeps.runtime, events }
  const spoken = { ...shop.jobDeps, events }
  const again = await readInput(deps as unknown as EngineDeps, spoken, job.jobNo, new AbortController().signal)
  expect(again).toBeNull()
  expect(await shop.reread(job)).toMatchObject({ state: 'failed', reason: 'intake' })
  expect(heard).toMatchObject([
    ['duty.failed', { role: 'intake', jobNo: job.jobNo, message: 'TypeError while the input was read' }],
    ['job.ended', { jobId: job.id, state: 'failed', round: 0 }],
  ])
})
