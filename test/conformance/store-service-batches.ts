import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/runtime.ts'
import type { NewOpenAiBatch } from '../../src/store/role/openai-batches.ts'
import { newJob, nextId, queuedJob, type StoreUnderTest, T } from './store-fixture.ts'

const DAY_MS = 86_400_000

export function anOpenAiBatch(more: Partial<NewOpenAiBatch> = {}): NewOpenAiBatch {
  return {
    id: `batch_${nextId()}`,
    tenantNo: 1,
    jobNo: null,
    inputFileId: 'file_1',
    endpoint: '/v1/chat/completions',
    completionWindow: '24h',
    model: null,
    filesKeptMs: null,
    metadata: null,
    notify: null,
    createdAtMs: T,
    expiresAtMs: T + DAY_MS,
    ...more,
  }
}

const UNTOUCHED = {
  outputFileId: null,
  errorFileId: null,
  errors: null,
  failedAtMs: null,
  cancellingAtMs: null,
  expiredAtMs: null,
  filesAtMs: null,
}

/** Jobs whose input comes later, and the batches of the OpenAI-compatible routes that become jobs: what every store must do. */
export function openAiBatchesConformance(under: () => StoreUnderTest): void {
  const store = () => under().store
  const batches = () => store().openAiBatches

  describe('a batch', () => {
    it('is what was asked for, and not added twice', async () => {
      const batch = anOpenAiBatch({
        metadata: '{"team":"search"}',
        notify: '{"kind":"webhook"}',
        model: 'gpt-test',
        filesKeptMs: 3_600_000,
      })
      await batches().add(batch)
      await batches().add({ ...batch, endpoint: '/v1/responses' })
      expect(await batches().get(1, batch.id)).toEqual({ ...batch, ...UNTOUCHED })
      expect(await batches().list(1, { limit: 9 })).toHaveLength(1)
      expect(await batches().get(1, 'batch_none')).toBeNull()
    })

    it('changes in what is given, and becomes a job', async () => {
      const batch = anOpenAiBatch()
      await batches().add(batch)
      const { jobNo } = await queuedJob(store(), [1])
      expect(await batches().byJob(jobNo)).toBeNull()
      await batches().set(1, batch.id, { jobNo, cancellingAtMs: T + 1 })
      await batches().set(1, batch.id, { outputFileId: 'file_2', errors: '[]' })
      await batches().set(1, batch.id, { cancellingAtMs: null })
      await batches().set(1, batch.id, {})
      const now = { ...batch, ...UNTOUCHED, jobNo, outputFileId: 'file_2', errors: '[]' }
      expect(await batches().byJob(jobNo)).toEqual(now)
    })

    it('is listed newest first, page by page', async () => {
      const [first, second, third] = [anOpenAiBatch(), anOpenAiBatch(), anOpenAiBatch()]
      for (const batch of [first, second, third]) await batches().add(batch)
      const ids = async (page: { readonly limit: number; readonly after?: string }) =>
        (await batches().list(1, page)).map(({ id }) => id)
      expect(await ids({ limit: 2 })).toEqual([third.id, second.id])
      expect(await ids({ limit: 2, after: second.id })).toEqual([first.id])
    })
  })

  describe('what is due', () => {
    const due = async (nowMs: number, limit = 9) => (await batches().due(nowMs, limit)).map(({ id }) => id)

    it('is a batch whose job is over, until its files are there', async () => {
      const { jobNo } = await queuedJob(store(), [1])
      const batch = anOpenAiBatch({ jobNo })
      await batches().add(batch)
      expect(await due(T)).toEqual([])
      await store().write((tx) => store().jobs.change(tx, jobNo, ['queued'], { to: 'cancelled', atMs: T }))
      expect(await due(T)).toEqual([batch.id])
      await batches().set(1, batch.id, { filesAtMs: T + 1 })
      expect(await due(T + 2 * DAY_MS)).toEqual([])
    })

    it('is a batch whose file is to be checked, until it failed', async () => {
      const batch = anOpenAiBatch()
      await batches().add(batch)
      expect(await due(T)).toEqual([batch.id])
      await batches().set(1, batch.id, { failedAtMs: T })
      expect(await due(T)).toEqual([])
    })

    it('is no batch whose end was asked for before its time ran out', async () => {
      const { jobNo } = await queuedJob(store(), [1])
      const batch = anOpenAiBatch({ jobNo, expiresAtMs: T + 9 })
      await batches().add(batch)
      await batches().set(1, batch.id, { cancellingAtMs: T })
      expect(await due(T + 10)).toEqual([])
    })

    it('is a batch whose time ran out, until that was noted, and again when its job is over', async () => {
      const { jobNo } = await queuedJob(store(), [1])
      const [checked, running] = [anOpenAiBatch({ expiresAtMs: T + 5 }), anOpenAiBatch({ jobNo, expiresAtMs: T + 9 })]
      await batches().add(running)
      await batches().add(checked)
      expect(await due(T + 5)).toEqual([checked.id])
      expect(await due(T + 10)).toEqual([checked.id, running.id])
      expect(await due(T + 10, 1)).toEqual([checked.id])
      await batches().set(1, checked.id, { failedAtMs: T + 10 })
      await batches().set(1, running.id, { expiredAtMs: T + 10 })
      expect(await due(T + 11)).toEqual([])
      await store().write((tx) => store().jobs.change(tx, jobNo, ['queued'], { to: 'cancelled', atMs: T }))
      expect(await due(T + 11)).toEqual([running.id])
    })
  })

  describe('a job whose input comes later', () => {
    const begin = { specName: 'triage 2', specHash: sha256('another spec'), submission: '{"file":"x"}', atMs: T + 7 }

    it('is begun once, with the spec that it is to run', async () => {
      const { job } = await store().jobs.create(newJob())
      expect(job.begunAtMs).toBeUndefined()
      expect(await store().write((tx) => store().jobs.begin(tx, job.jobNo, begin))).toBe(true)
      const { specName, specHash } = begin
      expect(await store().jobs.get(1, job.id)).toEqual({ ...job, specName, specHash, begunAtMs: T + 7 })
      expect(await store().jobs.submission(job.jobNo)).toBe(begin.submission)
      expect(await store().jobs.round(job.jobNo, 0)).toMatchObject({ specHash })
      const again = { ...begin, submission: '{}' }
      expect(await store().write((tx) => store().jobs.begin(tx, job.jobNo, again))).toBe(false)
      expect(await store().jobs.submission(job.jobNo)).toBe(begin.submission)
    })

    it('can be given another submission until it is begun', async () => {
      const { job } = await store().jobs.create(newJob())
      expect(await store().jobs.resubmit(job.jobNo, '{"plan":1}')).toBe(true)
      expect(await store().jobs.submission(job.jobNo)).toBe('{"plan":1}')
      await store().write((tx) => store().jobs.begin(tx, job.jobNo, begin))
      expect(await store().jobs.resubmit(job.jobNo, '{"plan":2}')).toBe(false)
      expect(await store().jobs.submission(job.jobNo)).toBe(begin.submission)
      const { jobNo } = await queuedJob(store(), [1])
      expect(await store().jobs.resubmit(jobNo, '{}')).toBe(false)
    })

    it('is begun by one of many at once', async () => {
      const { job } = await store().jobs.create(newJob())
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const begun = await Promise.all(
        others.map((other) => other.write((tx) => other.jobs.begin(tx, job.jobNo, begin))),
      )
      expect(begun.filter(Boolean)).toHaveLength(1)
    })

    it('is not begun where it has gone on, or is not there', async () => {
      const { jobNo, specHash } = await queuedJob(store(), [1])
      expect(await store().write((tx) => store().jobs.begin(tx, jobNo, begin))).toBe(false)
      expect(await store().jobs.getByNo(jobNo)).toMatchObject({ specHash })
      expect(await store().write((tx) => store().jobs.begin(tx, 999, begin))).toBe(false)
    })
  })
}
