import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openService } from '../../src/compose.ts'
import { readConfig } from '../../src/config.ts'
import { NOTHING_ALLOWED } from '../../src/domain/allowance.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { systemRuntime } from '../../src/runtime.ts'
import type { CreateRequest, Service } from '../../src/service.ts'
import { DEFAULT_TENANT } from '../../src/store/store.ts'

let dir: string
let service: Service
const opened: Service[] = []
const runtime = systemRuntime()
const price = { input: '1', output: '2', cachedInput: null }
const allowance = {
  ...NOTHING_ALLOWED,
  defaultModel: { id: 'simulator', baseUrl: null, apiKeyEnv: null },
  models: { priced: { id: 'simulator/other', baseUrl: null, apiKeyEnv: null, price } },
}

/** A service on the test's data directory, as each process opens one. */
async function open(): Promise<Service> {
  const another = await openService(readConfig({ dataDir: join(dir, 'data') }, {}, dir), allowance, runtime, 'test')
  opened.push(another)
  return another
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-job-desk-'))
  service = await open()
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
  await rm(dir, { recursive: true, force: true, maxRetries: 10 })
})

const spec = (more: Readonly<Record<string, unknown>> = {}) => ({
  version: 1,
  name: 'triage',
  input: { source: 'tickets.csv' },
  model: { id: 'small', params: { max_output_tokens: 50 } },
  prompt: { user: 'Label: {{ text }}' },
  output: { fields: { topic: 'enum[billing, refund]' } },
  ...more,
})
const asked = (more: Partial<CreateRequest> = {}): CreateRequest => ({
  spec: spec(),
  trigger: 'http',
  triggerRef: null,
  jobKey: null,
  id: `job_${runtime.uuid()}`,
  columnsHint: null,
  ...more,
})
const csv = (rows: number) => `id,text\n${Array.from({ length: rows }, (_, n) => `t${n},refund ${n}`).join('\n')}\n`

/** Sends the job's file, whole. */
async function upload(id: string, text: string, tenantNo = DEFAULT_TENANT): Promise<void> {
  const { fileId } = await service.jobs(tenantNo).input(id)
  const files = service.files(tenantNo)
  const signal = new AbortController().signal
  async function* bytes() {
    yield Buffer.from(text)
  }
  await files.append(fileId as string, 0, bytes(), { maxBytes: 1e9, signal })
  await files.finish(fileId as string, { bytes: null, sha256: null })
}

/** Works until nothing is left to be worked on, as a server does. */
async function workAll(by = service): Promise<void> {
  const never = new AbortController().signal
  const work = await by
    .engine(DEFAULT_TENANT)
    .workAny({ concurrency: null, untilIdle: true, signal: never, abandon: never })
  await work.done
}
const states = async (id: string, tenantNo = DEFAULT_TENANT) => {
  const { job, counters } = await service.engine(tenantNo).status(id)
  return { state: job.state, reason: job.reason, ok: counters.succeeded, detail: job.detail }
}

describe('a job whose spec and input come over the network', () => {
  it('waits for its input, is begun, read by a worker and worked on', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const { job, fileId } = await desk.create(asked())
    expect(job).toMatchObject({ state: 'created', trigger: 'http', specName: 'triage' })
    expect(fileId).toMatch(/^file_/)
    await expect(desk.begin(job.id, {})).rejects.toMatchObject({ code: 'job_state' })
    await upload(job.id, csv(30))
    expect(await desk.begin(job.id, {})).toMatchObject({ state: 'created', begunAtMs: expect.any(Number) })
    await workAll()
    expect(await states(job.id)).toMatchObject({ state: 'completed', ok: 30 })
  })

  it('is one job however often it is created and begun', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const request = asked()
    const [first, second] = [await desk.create(request), await desk.create(request)]
    expect([second.job.id, second.fileId]).toStrictEqual([first.job.id, first.fileId])
    await upload(first.job.id, csv(5))
    await Promise.all([desk.begin(request.id, {}), desk.begin(request.id, {})])
    await workAll()
    expect(await desk.begin(request.id, {})).toMatchObject({ state: 'completed' })
    expect(await states(request.id)).toMatchObject({ state: 'completed', ok: 5 })
    await expect(desk.begin(request.id, { model: 'other' })).rejects.toMatchObject({ code: 'job_state' })
  })

  it('runs with the model that it is begun with', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const { job } = await desk.create(asked())
    await upload(job.id, csv(3))
    const begun = await desk.begin(job.id, { model: 'simulator/large' })
    expect(begun.specHash).not.toBe(job.specHash)
    await workAll()
    expect(await service.engine(DEFAULT_TENANT).status(job.id)).toMatchObject({ model: 'simulator/large' })
    expect(await service.engine(DEFAULT_TENANT).row(job.id, '1')).toMatchObject({
      outcome: { model: 'large-simulated' },
    })
  })

  it('is refused at its start where the input does not fit its prompt', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const { job } = await desk.create(asked())
    await upload(job.id, 'id,body\n1,x\n')
    await expect(desk.begin(job.id, {})).rejects.toMatchObject({ code: 'spec_invalid' })
    expect(await states(job.id)).toMatchObject({ state: 'created' })
  })

  it('shows what is wrong with its input, where only reading all of it tells', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const { job } = await desk.create(asked({ spec: spec({ input: { source: 'tickets.csv', key: 'id' } }) }))
    await upload(job.id, `${csv(400)}t3,again\n`)
    await desk.begin(job.id, {})
    const ends: unknown[] = []
    service.events.on('job.ended', (event) => void ends.push(event))
    await workAll()
    expect(ends).toMatchObject([{ jobId: job.id, state: 'failed', round: 0 }])
    expect(await states(job.id)).toMatchObject({
      state: 'failed',
      reason: 'intake',
      detail: expect.stringContaining('t3'),
    })
  })

  it('is paused and cancelled before its input is read, and goes on', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const engine = service.engine(DEFAULT_TENANT)
    const { job } = await desk.create(asked())
    await upload(job.id, csv(12))
    await desk.begin(job.id, {})
    expect(await engine.pause(job.id)).toMatchObject({ state: 'paused' })
    await workAll()
    expect(await states(job.id)).toMatchObject({ state: 'paused', ok: 0 })
    expect(await engine.resume(job.id)).toMatchObject({ state: 'created' })
    await workAll()
    expect(await states(job.id)).toMatchObject({ state: 'completed', ok: 12 })
    const other = await desk.create(asked())
    await upload(other.job.id, csv(3))
    await desk.begin(other.job.id, {})
    expect(await engine.cancel(other.job.id)).toMatchObject({ state: 'cancelled' })
  })

  it('has its message made anew with the queue', async () => {
    const desk = service.jobs(DEFAULT_TENANT)
    const { job } = await desk.create(asked())
    const waiting = await desk.create(asked())
    await upload(job.id, csv(4))
    await desk.begin(job.id, {})
    expect(await service.engine(DEFAULT_TENANT).rebuildQueue()).toBe(1)
    await workAll()
    expect(await states(job.id)).toMatchObject({ state: 'completed', ok: 4 })
    expect(await states(waiting.job.id)).toMatchObject({ state: 'created' })
  })

  it('costs what the operator says, and not what its spec says, where its tenant has a budget', async () => {
    const tenant = await service.tenants.add('thrifty', { ...NO_CAPS, dayNano: 1_000_000_000 }, runtime.now())
    const tenantNo = tenant?.tenantNo as number
    const model = (more: Readonly<Record<string, unknown>>) =>
      asked({ spec: spec({ model: { params: { max_output_tokens: 50 }, ...more } }) })
    const cheap = model({ id: 'simulator/small', price: { input: '0', output: '0' } })
    await expect(service.jobs(tenantNo).create(cheap)).rejects.toMatchObject({ code: 'spec_invalid' })
    const { job } = await service.jobs(tenantNo).create(model({ id: 'priced', price: { input: '0', output: '0' } }))
    await upload(job.id, csv(2), tenantNo)
    await service.jobs(tenantNo).begin(job.id, {})
    await workAll()
    const { counters } = await service.engine(tenantNo).status(job.id)
    expect(counters.costNano).toBe(counters.inputTokens * 1_000 + counters.outputTokens * 2_000)
  })

  it('is unknown to other tenants, and worked on beside theirs', async () => {
    const other = await service.tenants.add('other', NO_CAPS, runtime.now())
    const otherNo = other?.tenantNo as number
    const { job, fileId } = await service.jobs(DEFAULT_TENANT).create(asked())
    const theirs = await service.jobs(otherNo).create(asked())
    await upload(job.id, csv(3))
    await upload(theirs.job.id, csv(2), otherNo)
    const unknown = { code: 'job_not_found' }
    await expect(service.jobs(otherNo).begin(job.id, {})).rejects.toMatchObject(unknown)
    await expect(service.jobs(otherNo).input(job.id)).rejects.toMatchObject(unknown)
    await expect(service.engine(otherNo).status(job.id)).rejects.toMatchObject(unknown)
    await expect(service.files(otherNo).get(fileId as string)).rejects.toMatchObject({ code: 'file_not_found' })
    await service.jobs(DEFAULT_TENANT).begin(job.id, {})
    await service.jobs(otherNo).begin(theirs.job.id, {})
    await workAll()
    expect(await states(job.id)).toMatchObject({ state: 'completed', ok: 3 })
    expect(await states(theirs.job.id, otherNo)).toMatchObject({ state: 'completed', ok: 2 })
  })
})
