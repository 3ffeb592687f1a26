import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Blob, BlobMissing, type BlobPart } from '../../src/blob/blob.ts'
import { collect } from '../blob/collect.ts'

/** One blob store under test, empty. */
export interface BlobUnderTest {
  readonly blob: Blob
  /** The same store as a process sees it that starts now. */
  reopen(): Promise<Blob>
  close(): Promise<void>
}

async function listed(blob: Blob, prefix: string): Promise<string[]> {
  return collect(blob.list(prefix))
}

/** What every blob store must do, whatever it is made of. */
export function blobConformance(name: string, open: () => Promise<BlobUnderTest>): void {
  describe(`blob store: ${name}`, () => {
    let under: BlobUnderTest
    let blob: Blob
    beforeEach(async () => {
      under = await open()
      blob = under.blob
    })
    afterEach(async () => {
      await under.close()
    })

    it('gives back what was put, whole and by range', async () => {
      const bytes = randomBytes(100_000)
      await blob.put('jobs/job_1/snapshot/000000.ndjson', bytes)
      const key = 'jobs/job_1/snapshot/000000.ndjson'
      expect((await blob.read(key)).equals(bytes)).toBe(true)
      expect((await blob.read(key, { offset: 99_990, length: 10 })).equals(bytes.subarray(99_990))).toBe(true)
      expect((await blob.read(key, { offset: 100_000, length: 0 })).length).toBe(0)
      expect(await blob.size(key)).toBe(100_000)
      expect(Buffer.concat(await collect(blob.stream(key))).equals(bytes)).toBe(true)
    })

    it('streams a part of an object, in blocks as small as asked for', async () => {
      const bytes = randomBytes(100_000)
      await blob.put('files/a', bytes)
      const streamed = async (part: BlobPart) => collect(blob.stream('files/a', part))
      for (const [from, to] of [
        [0, 100_000],
        [1, 99_999],
        [40_000, 40_001],
        [99_999, 100_000],
        [500, 500],
        [100_000, 100_000],
      ] as const) {
        expect(Buffer.concat(await streamed({ from, to })).equals(bytes.subarray(from, to))).toBe(true)
      }
      expect(Buffer.concat(await streamed({ from: 70_000 })).equals(bytes.subarray(70_000))).toBe(true)
      const blocks = await streamed({ from: 10, blockBytes: 4096 })
      expect(Math.max(...blocks.map((block) => block.length))).toBeLessThanOrEqual(4096)
      expect(Buffer.concat(blocks).equals(bytes.subarray(10))).toBe(true)
      await expect(streamed({ to: 100_001 })).rejects.toBeInstanceOf(BlobMissing)
    })

    it('keeps an empty object', async () => {
      await blob.put('empty', new Uint8Array())
      expect(await blob.size('empty')).toBe(0)
      expect((await blob.read('empty')).length).toBe(0)
      expect(await collect(blob.stream('empty'))).toStrictEqual([])
    })

    it('says that an object, or a range of it, is missing', async () => {
      await blob.put('a/b', Buffer.from('four'))
      expect(await blob.size('a')).toBeNull()
      expect(await blob.size('nothing/here')).toBeNull()
      await expect(blob.read('a/c')).rejects.toBeInstanceOf(BlobMissing)
      await expect(blob.read('a/b', { offset: 2, length: 3 })).rejects.toBeInstanceOf(BlobMissing)
      await expect(collect(blob.stream('nothing/here'))).rejects.toBeInstanceOf(BlobMissing)
    })

    it('replaces an object in one step: a reader sees the old one or the new one', async () => {
      const [before, after] = [Buffer.alloc(500_000, 'a'), Buffer.alloc(500_000, 'b')]
      await blob.put('report.md', before)
      const replacing = blob.put('report.md', after)
      const seen = await Promise.all(Array.from({ length: 20 }, () => blob.read('report.md')))
      await replacing
      for (const bytes of seen) expect(bytes.equals(before) || bytes.equals(after)).toBe(true)
      expect((await blob.read('report.md')).equals(after)).toBe(true)
    })

    it('shows what a writer wrote only when it is closed', async () => {
      const writer = await blob.writer('jobs/job_1/part')
      await writer.write(Buffer.from('one '))
      await writer.write(Buffer.from('two'))
      expect(await blob.size('jobs/job_1/part')).toBeNull()
      expect(await listed(blob, '')).toStrictEqual([])
      await writer.close()
      expect((await blob.read('jobs/job_1/part')).toString()).toBe('one two')
      expect((await (await under.reopen()).read('jobs/job_1/part')).toString()).toBe('one two')
    })

    it('leaves nothing behind when a writer is aborted', async () => {
      await blob.put('kept', Buffer.from('old'))
      const writer = await blob.writer('kept')
      await writer.write(Buffer.from('new'))
      await writer.abort()
      expect((await blob.read('kept')).toString()).toBe('old')
      expect(await listed(blob, '')).toStrictEqual(['kept'])
    })

    it('lets two writers of one key go on side by side: the last to close wins', async () => {
      const [first, second] = await Promise.all([blob.writer('k/x'), blob.writer('k/x')])
      await Promise.all([first.write(Buffer.from('first')), second.write(Buffer.from('second'))])
      await second.close()
      await first.close()
      expect((await blob.read('k/x')).toString()).toBe('first')
    })

    it('lists keys by prefix, sorted by their characters', async () => {
      const keys = ['a-b', 'a.c', 'a/b', 'a/b.x', 'a/b/c', 'a0', 'b/a', 'job_1/000002', 'job_1/000010', 'job_10/000001']
      for (const key of keys.filter((k) => k !== 'a/b').toReversed()) await blob.put(key, Buffer.from(key))
      const expected = keys.filter((k) => k !== 'a/b').sort((x, y) => (x < y ? -1 : 1))
      expect(await listed(blob, '')).toStrictEqual(expected)
      expect(await listed(blob, 'a')).toStrictEqual(expected.filter((k) => k.startsWith('a')))
      expect(await listed(blob, 'a/b')).toStrictEqual(['a/b.x', 'a/b/c'])
      expect(await listed(blob, 'job_1/')).toStrictEqual(['job_1/000002', 'job_1/000010'])
      expect(await listed(blob, 'zzz/')).toStrictEqual([])
    })

    it('removes what is below a prefix, and nothing else', async () => {
      for (const key of ['job_1/s/0', 'job_1/s/1', 'job_1/r', 'job_10/s/0']) await blob.put(key, Buffer.from(key))
      await blob.removeAll('job_1/')
      expect(await listed(blob, '')).toStrictEqual(['job_10/s/0'])
      await blob.removeAll('job_1/')
      await blob.removeAll('never/was')
      await blob.put('job_1/s/0', Buffer.from('again'))
      expect((await blob.read('job_1/s/0')).toString()).toBe('again')
    })

    it.each(['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/./b', '.a', 'A', 'a b', 'a\\b', 'a\0'])(
      'refuses the key %j',
      async (key) => {
        await expect((async () => blob.put(key, Buffer.from('x')))()).rejects.toThrow(TypeError)
      },
    )
  })
}
