import { describe, expect, it } from 'vitest'
import type { NewSpecVersion } from '../../src/store/role/specs.ts'
import { type StoreUnderTest, T } from './store-fixture.ts'

export function aSpec(name: string, hash: string, more: Partial<NewSpecVersion> = {}): NewSpecVersion {
  return { tenantNo: 1, name, hash, source: `{"name":"${name}","of":"${hash}"}`, atMs: T, ...more }
}

/** Specs that are published under a name: what every store must do. */
export function specsConformance(under: () => StoreUnderTest): void {
  const specs = () => under().store.specs

  describe('a published spec', () => {
    it('has the next number under its name, and keeps what its author wrote', async () => {
      const first = aSpec('triage', 'a')
      expect(await specs().publish(first, null)).toEqual({ ...first, version: 1 })
      expect(await specs().publish(aSpec('triage', 'b', { atMs: T + 1 }), null)).toMatchObject({ version: 2 })
      expect(await specs().publish(aSpec('other', 'a'), null)).toMatchObject({ version: 1 })
      expect(await specs().version(1, 'triage', 1)).toEqual({ ...first, version: 1 })
      expect(await specs().version(1, 'triage', null)).toMatchObject({ version: 2, hash: 'b', atMs: T + 1 })
      expect(await specs().version(1, 'triage', 3)).toBeNull()
      expect(await specs().version(1, 'nobody', null)).toBeNull()
    })

    it('keeps its number where nothing has changed, and gets a new one where it changes back', async () => {
      await specs().publish(aSpec('triage', 'a'), null)
      expect(await specs().publish(aSpec('triage', 'a', { atMs: T + 9 }), null)).toMatchObject({ version: 1, atMs: T })
      await specs().publish(aSpec('triage', 'b'), null)
      expect(await specs().publish(aSpec('triage', 'a'), null)).toMatchObject({ version: 3 })
    })

    it('comes on top of the version that its author has seen, or not at all', async () => {
      expect(await specs().publish(aSpec('triage', 'a'), 1)).toBeNull()
      expect(await specs().publish(aSpec('triage', 'a'), 0)).toMatchObject({ version: 1 })
      expect(await specs().publish(aSpec('triage', 'b'), 0)).toBeNull()
      expect(await specs().publish(aSpec('triage', 'a'), 0)).toBeNull()
      expect(await specs().publish(aSpec('triage', 'b'), 1)).toMatchObject({ version: 2 })
      expect(await specs().version(1, 'triage', null)).toMatchObject({ version: 2 })
    })

    it('has a number of its own where many are published at once', async () => {
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const all = await Promise.all(others.map((other, n) => other.specs.publish(aSpec('triage', `h${n}`), null)))
      expect(all.map((one) => one?.version).sort()).toEqual([1, 2, 3, 4])
      const onTop = await Promise.all(others.map((other, n) => other.specs.publish(aSpec('triage', `i${n}`), 4)))
      expect(onTop.filter((one) => one !== null)).toMatchObject([{ version: 5 }])
      const same = await Promise.all(others.map((other) => other.specs.publish(aSpec('triage', 'same'), null)))
      expect(same.map((one) => one?.version)).toEqual([6, 6, 6, 6])
    })

    it('is listed with its versions, newest first, and once among all names', async () => {
      for (const hash of ['a', 'b', 'c']) await specs().publish(aSpec('triage', hash), null)
      await specs().publish(aSpec('answers', 'a'), null)
      const numbers = async (page: { readonly limit: number; readonly before?: number }) =>
        (await specs().versions(1, 'triage', page)).map(({ version }) => version)
      expect(await numbers({ limit: 2 })).toEqual([3, 2])
      expect(await numbers({ limit: 2, before: 2 })).toEqual([1])
      expect(await specs().published(1, { limit: 9 })).toMatchObject([
        { name: 'answers', version: 1 },
        { name: 'triage', version: 3 },
      ])
      expect(await specs().published(1, { limit: 1 })).toMatchObject([{ name: 'answers' }])
      expect(await specs().published(1, { limit: 9, after: 'answers' })).toMatchObject([{ name: 'triage' }])
    })
  })
}
