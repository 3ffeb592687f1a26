import { expect, it } from 'vitest'
import { newJob, type StoreUnderTest, T } from './store-fixture.ts'
import { anOpenAiBatch } from './store-service-batches.ts'
import { aFile, partOf } from './store-service-files.ts'
import { aRequest } from './store-service-requests.ts'
import { aSpec } from './store-service-specs.ts'
import { aKey } from './store-service-tenants.ts'

const OTHER = 2

/** Between tenants stand walls: nothing of one is found, changed or even guessed through the other. */
export function wallsConformance(under: () => StoreUnderTest): void {
  const store = () => under().store

  /** One of everything, of the other tenant. */
  const furnish = async () => {
    await under().addTenant(OTHER)
    const { job } = await store().jobs.create(newJob({ tenantNo: OTHER, jobKey: 'nightly' }))
    const file = aFile({ tenantNo: OTHER })
    await store().files.add(file)
    await store().files.append(OTHER, file.id, partOf(0, 4))
    const batch = anOpenAiBatch({ tenantNo: OTHER })
    await store().openAiBatches.add(batch)
    const key = aKey({ tenantNo: OTHER })
    await store().keys.add(key)
    const entry = { tenantNo: OTHER, actor: 'cli', action: 'job.create', subject: job.id, detail: null, atMs: T }
    await store().audit.add(entry)
    await store().specs.put(OTHER, 'a', 'triage', '{}', T)
    await store().specs.publish(aSpec('triage', 'a', { tenantNo: OTHER }), null)
    await store().requests.take(aRequest('once', { tenantNo: OTHER }))
    return { job, file, batch, key }
  }

  it("nobody finds what is another tenant's", async () => {
    const { job, file, batch } = await furnish()
    const found = [
      await store().jobs.get(1, job.id),
      await store().jobs.byKey(1, 'nightly'),
      await store().jobs.list(1, { limit: 9 }),
      await store().files.get(1, file.id),
      await store().files.list(1, { limit: 9 }),
      await store().files.list(1, { limit: 9, purpose: file.purpose, order: 'asc' }),
      await store().files.parts(1, file.id),
      await store().openAiBatches.get(1, batch.id),
      await store().openAiBatches.list(1, { limit: 9 }),
      await store().keys.list(1),
      await store().audit.list(1, { limit: 9 }),
      await store().audit.list(1, { limit: 9, subject: job.id }),
      await store().specs.get(1, 'a'),
      await store().specs.version(1, 'triage', null),
      await store().specs.version(1, 'triage', 1),
      await store().specs.versions(1, 'triage', { limit: 9 }),
      await store().specs.published(1, { limit: 9 }),
    ]
    expect(found.flat().filter((one) => one !== null)).toEqual([])
  })

  it("nobody changes what is another tenant's", async () => {
    const { file, batch, key } = await furnish()
    const end = { state: 'ready', bytes: 4, sha256: 'd'.repeat(64), note: null } as const
    expect(await store().files.append(1, file.id, partOf(4, 4))).toBe(false)
    expect(await store().files.close(1, file.id, end)).toBe(false)
    expect(await store().files.reopen(1, file.id)).toEqual([])
    expect(await store().files.remove(1, file.id)).toBeNull()
    await store().openAiBatches.set(1, batch.id, { failedAtMs: T })
    expect(await store().keys.revoke(1, key.id, T)).toBe(false)
    expect(await store().files.get(OTHER, file.id)).toMatchObject({ state: 'open', bytes: 4 })
    expect(await store().files.parts(OTHER, file.id)).toHaveLength(1)
    expect(await store().openAiBatches.get(OTHER, batch.id)).toMatchObject({ failedAtMs: null })
    expect(await store().keys.find(key.id)).toMatchObject({ revokedAtMs: null })
  })

  it('names and keys of one tenant are free for the other', async () => {
    await furnish()
    expect(await store().jobs.create(newJob({ jobKey: 'nightly' }))).toMatchObject({ created: true })
    expect(await store().specs.publish(aSpec('triage', 'b'), 0)).toMatchObject({ version: 1 })
    const request = aRequest('once', { fingerprint: 'e'.repeat(64) })
    expect(await store().requests.take(request)).toEqual({ kind: 'mine', subject: request.subject })
    await store().requests.answer(1, 'once', { status: 200, headers: '{}', body: '' }, T)
    expect(await store().requests.take(aRequest('once', { tenantNo: OTHER }))).toEqual({ kind: 'busy' })
    await store().requests.giveBack(1, 'once')
    expect(await store().requests.take(aRequest('once', { tenantNo: OTHER }))).toEqual({ kind: 'busy' })
  })
}
