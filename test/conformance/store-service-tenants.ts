import { describe, expect, it } from 'vitest'
import type { ApiKey } from '../../src/domain/access.ts'
import { NO_CAPS } from '../../src/domain/tenant.ts'
import { nextId, type StoreUnderTest, T } from './store-fixture.ts'

export function aKey(more: Partial<ApiKey> = {}) {
  return {
    id: `key_${nextId()}`,
    tenantNo: 1,
    name: 'ci',
    scopes: ['submit', 'read'] as const,
    secretHash: 'c'.repeat(64),
    createdAtMs: T,
    expiresAtMs: null,
    ...more,
  }
}

/** Tenants, their keys, and the record of who did what: what every store must do. */
export function tenantsConformance(under: () => StoreUnderTest): void {
  const store = () => under().store

  describe('a tenant', () => {
    it('gets the next number, and its caps', async () => {
      const caps = { ...NO_CAPS, jobs: 3, chunks: 5, tpm: 60_000, dayNano: 7_000_000_000, weight: 4 }
      const added = await store().tenants.add('search', caps, T)
      expect(added).toEqual({ tenantNo: 2, name: 'search', caps })
      expect(await store().tenants.get(2)).toEqual(added)
      expect(await store().tenants.byName('search')).toEqual(added)
      expect(await store().tenants.byName('nobody')).toBeNull()
      expect(await store().tenants.get(99)).toBeNull()
    })

    it('that was there from the first day is held back by nothing', async () => {
      expect(await store().tenants.list()).toEqual([{ tenantNo: 1, name: 'default', caps: NO_CAPS }])
    })

    it('is not added twice, and a name that is taken costs no number', async () => {
      expect(await store().tenants.add('default', NO_CAPS, T)).toBeNull()
      expect(await store().tenants.add('b', NO_CAPS, T)).toMatchObject({ tenantNo: 2 })
      expect(await store().tenants.add('a', NO_CAPS, T)).toMatchObject({ tenantNo: 3 })
      expect((await store().tenants.list()).map(({ name }) => name)).toEqual(['a', 'b', 'default'])
    })

    it('has a number of its own where many are added at once', async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const added = await Promise.all([
        ...others.map((other, n) => other.tenants.add(`team-${n}`, NO_CAPS, T)),
        ...others.map((other) => other.tenants.add('same', NO_CAPS, T)),
      ])
      const made = added.filter((tenant) => tenant !== null)
      expect(made.map(({ tenantNo }) => tenantNo).sort()).toEqual([2, 3, 4, 5, 6])
      expect(made.filter(({ name }) => name === 'same')).toHaveLength(1)
    })

    it('keeps the caps that are not changed', async () => {
      await store().tenants.add('search', { ...NO_CAPS, jobs: 3, weight: 2 }, T)
      expect(await store().tenants.set(2, { monthNano: 9, jobs: null, concurrency: 8 })).toBe(true)
      const caps = { ...NO_CAPS, monthNano: 9, concurrency: 8, weight: 2 }
      expect(await store().tenants.get(2)).toMatchObject({ caps })
      expect(await store().tenants.set(2, {})).toBe(true)
      expect(await store().tenants.get(2)).toMatchObject({ caps })
      expect(await store().tenants.set(99, { jobs: 1 })).toBe(false)
      expect(await store().tenants.get(1)).toMatchObject({ caps: NO_CAPS })
    })
  })

  describe('a key', () => {
    it('is found by its id as it was added', async () => {
      const key = aKey({ expiresAtMs: T + 5 })
      await store().keys.add(key)
      expect(await store().keys.find(key.id)).toEqual({ ...key, revokedAtMs: null, usedAtMs: null })
      expect(await store().keys.find('key_none')).toBeNull()
    })

    it('is listed for its tenant, newest first, and for whoever asks for all', async () => {
      await under().addTenant(2)
      const [first, foreign, last] = [aKey(), aKey({ tenantNo: 2 }), aKey()]
      for (const key of [first, foreign, last]) await store().keys.add(key)
      const ids = async (tenantNo: number | null) => (await store().keys.list(tenantNo)).map(({ id }) => id)
      expect(await ids(1)).toEqual([last.id, first.id])
      expect(await ids(2)).toEqual([foreign.id])
      expect(await ids(null)).toEqual([last.id, foreign.id, first.id])
    })

    it('is revoked once, by its tenant or by whoever may name any', async () => {
      await under().addTenant(2)
      const [mine, other] = [aKey(), aKey()]
      await store().keys.add(mine)
      await store().keys.add(other)
      expect(await store().keys.revoke(2, mine.id, T + 1)).toBe(false)
      expect(await store().keys.revoke(1, mine.id, T + 2)).toBe(true)
      expect(await store().keys.revoke(1, mine.id, T + 3)).toBe(false)
      expect(await store().keys.revoke(null, other.id, T + 4)).toBe(true)
      expect(await store().keys.find(mine.id)).toMatchObject({ revokedAtMs: T + 2 })
    })

    it('tells about when it was used last, and is not written more often', async () => {
      const key = aKey()
      await store().keys.add(key)
      const used = async () => (await store().keys.find(key.id))?.usedAtMs
      await store().keys.touch(key.id, T)
      await store().keys.touch(key.id, T + 59_999)
      expect(await used()).toBe(T)
      await store().keys.touch(key.id, T + 60_000)
      expect(await used()).toBe(T + 60_000)
      await store().keys.touch(key.id, T)
      expect(await used()).toBe(T + 60_000)
      await store().keys.touch('key_none', T)
    })

    it('is there or not, for a server that has to know', async () => {
      expect(await store().keys.any(T)).toBe(false)
      const [short, lasting] = [aKey({ expiresAtMs: T + 5 }), aKey()]
      await store().keys.add(short)
      expect(await store().keys.any(T + 4)).toBe(true)
      expect(await store().keys.any(T + 5)).toBe(false)
      await store().keys.add(lasting)
      expect(await store().keys.any(T + 5)).toBe(true)
      await store().keys.revoke(1, lasting.id, T)
      expect(await store().keys.any(T + 5)).toBe(false)
    })
  })

  describe('the audit log', () => {
    const entry = { tenantNo: 1, actor: 'cli', action: 'key.create', subject: 'key_1', detail: null, atMs: T }

    it('is that of one tenant, or that of all', async () => {
      await under().addTenant(2)
      for (const tenantNo of [1, 2]) await store().audit.add({ ...entry, tenantNo })
      expect(await store().audit.list(1, { limit: 9 })).toMatchObject([{ tenantNo: 1 }])
      expect(await store().audit.list(null, { limit: 9 })).toMatchObject([{ tenantNo: 2 }, { tenantNo: 1 }])
    })

    it('tells the newest first, page by page, of one subject or of all', async () => {
      for (const subject of ['job_1', 'key_1', 'job_1']) await store().audit.add({ ...entry, subject })
      const [newest, ...older] = await store().audit.list(1, { limit: 9 })
      expect(newest).toEqual({ ...entry, subject: 'job_1', entryNo: newest!.entryNo })
      expect(older.map(({ subject }) => subject)).toEqual(['key_1', 'job_1'])
      expect(await store().audit.list(1, { limit: 1, before: newest!.entryNo })).toEqual([older[0]])
      expect(await store().audit.list(1, { limit: 9, subject: 'job_1' })).toEqual([newest, older[1]])
    })
  })

  describe('what somebody did to a tenant, or to a key', () => {
    const deed = { actor: 'cli', action: 'tenant.add', subject: 'search', detail: null, atMs: T }
    /** No entry can be made of it. */
    const broken = { ...deed, action: null as unknown as string }
    const actions = async () => (await store().audit.list(null, { limit: 9 })).map(({ action }) => action)

    it('is in the log as soon as it is done, and not where nothing was changed', async () => {
      const key = aKey({ tenantNo: 2 })
      await store().tenants.add('search', NO_CAPS, T, deed)
      expect(await store().tenants.add('search', NO_CAPS, T, deed)).toBeNull()
      await store().tenants.set(2, { jobs: 1 }, { ...deed, action: 'tenant.set' })
      expect(await store().tenants.set(99, { jobs: 1 }, deed)).toBe(false)
      await store().keys.add(key, { ...deed, action: 'key.create' })
      await expect(store().keys.add(key, deed)).rejects.toThrow()
      const revoke = { ...deed, action: 'key.revoke' }
      expect(await store().keys.revoke(null, key.id, T, revoke)).toBe(true)
      expect(await store().keys.revoke(null, key.id, T, revoke)).toBe(false)
      expect(await actions()).toEqual(['key.revoke', 'key.create', 'tenant.set', 'tenant.add'])
      expect(await store().audit.list(2, { limit: 9 })).toHaveLength(4)
    })

    it('is not done where it cannot be written down', async () => {
      const key = aKey()
      await expect(store().tenants.add('search', NO_CAPS, T, broken)).rejects.toThrow()
      expect(await store().tenants.byName('search')).toBeNull()
      await expect(store().tenants.set(1, { jobs: 1 }, broken)).rejects.toThrow()
      expect((await store().tenants.get(1))?.caps).toEqual(NO_CAPS)
      await expect(store().keys.add(key, broken)).rejects.toThrow()
      expect(await store().keys.find(key.id)).toBeNull()
      await store().keys.add(key)
      await expect(store().keys.revoke(null, key.id, T, broken)).rejects.toThrow()
      expect((await store().keys.find(key.id))?.revokedAtMs).toBeNull()
      expect(await actions()).toEqual([])
    })
  })
}
