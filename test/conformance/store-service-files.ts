import { describe, expect, it } from 'vitest'
import type { FilePart, StoredFile } from '../../src/domain/stored-file.ts'
import { closeManifest, newJob, nextId, type StoreUnderTest, T } from './store-fixture.ts'

export function aFile(more: Partial<StoredFile> = {}) {
  return {
    id: `file_${nextId()}`,
    tenantNo: 1,
    purpose: 'input' as const,
    name: 'tickets.csv',
    createdAtMs: T,
    expiresAtMs: null,
    ...more,
  }
}

export function partOf(offset: number, bytes: number): FilePart {
  return { offset, bytes, blobKey: `files/${nextId()}` }
}

/** Files that come over the network: what every store must do. */
export function filesConformance(under: () => StoreUnderTest): void {
  const files = () => under().store.files
  const added = async (more: Partial<StoredFile> = {}) => {
    const file = aFile(more)
    await files().add(file)
    return file
  }
  const whole = { state: 'ready', sha256: 'd'.repeat(64), note: null } as const

  describe('a file', () => {
    it('begins open and empty, and is not added twice', async () => {
      const file = await added()
      await files().append(1, file.id, partOf(0, 4))
      await files().add({ ...file, name: 'other.csv' })
      expect(await files().get(1, file.id)).toEqual({ ...file, state: 'open', bytes: 4, sha256: null, note: null })
    })

    it('grows only at its end', async () => {
      const { id } = await added()
      const [first, second] = [partOf(0, 10), partOf(10, 5)]
      expect(await files().append(1, id, partOf(3, 1))).toBe(false)
      expect(await files().append(1, id, first)).toBe(true)
      expect(await files().append(1, id, partOf(0, 10))).toBe(false)
      expect(await files().append(1, id, second)).toBe(true)
      expect(await files().get(1, id)).toMatchObject({ bytes: 15 })
      expect(await files().parts(1, id)).toEqual([first, second])
      expect(await files().append(1, 'file_none', partOf(0, 1))).toBe(false)
    })

    it('takes one part of several that are sent for one place at once', async () => {
      const { id } = await added()
      const others = await Promise.all(Array.from({ length: 4 }, () => under().openAnother()))
      const sent = others.map((other, n) => ({ other, part: partOf(0, n + 1) }))
      const taken = await Promise.all(sent.map(({ other, part }) => other.files.append(1, id, part)))
      expect(taken.filter(Boolean)).toHaveLength(1)
      const winner = sent[taken.indexOf(true)]!.part
      expect(await files().parts(1, id)).toEqual([winner])
      expect(await files().get(1, id)).toMatchObject({ bytes: winner.bytes })
    })

    it('ends once, with as many bytes as it has', async () => {
      const { id } = await added()
      await files().append(1, id, partOf(0, 10))
      expect(await files().close(1, id, { ...whole, bytes: 9 })).toBe(false)
      expect(await files().close(1, id, { ...whole, bytes: 10 })).toBe(true)
      expect(await files().close(1, id, { ...whole, bytes: 10 })).toBe(false)
      expect(await files().append(1, id, partOf(10, 1))).toBe(false)
      expect(await files().get(1, id)).toMatchObject({ state: 'ready', bytes: 10, sha256: whole.sha256 })
      expect(await files().reopen(1, id)).toEqual([])
      expect(await files().get(1, id)).toMatchObject({ state: 'ready', bytes: 10 })
    })

    it('that was refused, or is not whole, can be sent anew', async () => {
      const { id } = await added()
      const [first, second] = [partOf(0, 10), partOf(10, 2)]
      for (const part of [first, second]) await files().append(1, id, part)
      await files().close(1, id, { ...whole, state: 'refused', bytes: 12, note: 'no header' })
      expect(await files().get(1, id)).toMatchObject({ state: 'refused', note: 'no header' })
      expect(await files().reopen(1, id)).toEqual([first, second])
      expect(await files().get(1, id)).toMatchObject({ state: 'open', bytes: 0, sha256: null, note: null })
      expect(await files().parts(1, id)).toEqual([])
      const again = partOf(0, 3)
      expect(await files().append(1, id, again)).toBe(true)
      expect(await files().reopen(1, id)).toEqual([again])
    })

    it('goes with its parts', async () => {
      const { id } = await added()
      const part = partOf(0, 10)
      await files().append(1, id, part)
      expect(await files().remove(1, id)).toEqual([part])
      expect(await files().remove(1, id)).toBeNull()
      expect(await files().get(1, id)).toBeNull()
      expect(await files().parts(1, id)).toEqual([])
      expect(await files().append(1, id, partOf(10, 1))).toBe(false)
    })
  })

  describe('files', () => {
    it('are listed newest first or oldest first, page by page, by purpose', async () => {
      const [first, second, third] = [await added(), await added({ purpose: 'batch' }), await added()]
      const ids = async (page: Parameters<ReturnType<typeof files>['list']>[1]) =>
        (await files().list(1, page)).map(({ id }) => id)
      expect(await ids({ limit: 2 })).toEqual([third.id, second.id])
      expect(await ids({ limit: 2, after: second.id })).toEqual([first.id])
      expect(await ids({ limit: 9, order: 'asc' })).toEqual([first.id, second.id, third.id])
      expect(await ids({ limit: 9, order: 'asc', after: first.id })).toEqual([second.id, third.id])
      expect(await ids({ limit: 9, purpose: 'batch' })).toEqual([second.id])
      expect(await ids({ limit: 9, purpose: 'input', after: third.id })).toEqual([first.id])
    })

    it('that are the input of a job are spent once it has read them, or is over', async () => {
      const { store, addTenant } = under()
      await addTenant(7)
      const inputOf = async (more: { readonly tenantNo?: number; readonly purpose?: 'input' | 'batch' } = {}) => {
        const { purpose = 'input', tenantNo = 1 } = more
        const { job } = await store.jobs.create(newJob({ tenantNo }))
        return { ...job, fileId: (await added({ id: job.id.replace('job_', 'file_'), tenantNo, purpose })).id }
      }
      const [waits, reads, read, others, kept] = [
        await inputOf(),
        await inputOf(),
        await inputOf(),
        await inputOf({ tenantNo: 7 }),
        await inputOf({ purpose: 'batch' }),
      ]
      await added()
      await closeManifest(store, read.jobNo)
      await closeManifest(store, kept.jobNo)
      expect((await files().spentInputs(9)).map(({ id }) => id)).toEqual([read.fileId])
      await store.write(async (tx) => {
        await store.jobs.change(tx, reads.jobNo, ['created'], { to: 'paused', atMs: T })
        await store.jobs.change(tx, others.jobNo, ['created'], { to: 'cancelled', atMs: T })
      })
      const spent = await files().spentInputs(9)
      expect(spent.map(({ id }) => id).sort()).toEqual([read.fileId, others.fileId].sort())
      expect(spent.find(({ id }) => id === others.fileId)?.tenantNo).toBe(7)
      expect(await files().spentInputs(1)).toHaveLength(1)
      expect(await files().get(1, waits.fileId)).not.toBeNull()
    })

    it('run out, those that ran out longest ago first', async () => {
      await added()
      const late = await added({ expiresAtMs: T + 20 })
      const soon = await added({ expiresAtMs: T + 10 })
      expect(await files().expired(T + 10, 9)).toEqual([])
      expect((await files().expired(T + 21, 9)).map(({ id }) => id)).toEqual([soon.id, late.id])
      expect((await files().expired(T + 21, 1)).map(({ id }) => id)).toEqual([soon.id])
    })
  })
}
