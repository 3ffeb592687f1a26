import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { describeInput } from '../../src/intake/describe-input.ts'
import { BLOCK_BYTES, type FoundFile } from '../../src/intake/input-file.ts'
import { openSource } from '../../src/intake/open-source.ts'

const MIB = 1024 * 1024
const INPUT = {
  source: null,
  sql: null,
  format: null,
  key: null,
  limit: null,
  where: null,
  csv: { delimiter: null, header: null, encoding: null },
}
const SURROUNDINGS = { input: INPUT, baseDir: '', env: () => undefined }

/** A file of these bytes, which counts how many of them are read. */
function fileOf(name: string, bytes: Buffer, unpackedBytes?: number): FoundFile & { readonly seen: { bytes: number } } {
  const seen = { bytes: 0 }
  return {
    name,
    bytes: bytes.length,
    ...(unpackedBytes !== undefined && { unpackedBytes }),
    seen,
    async *read(from) {
      for (let at = from; at < bytes.length; at += BLOCK_BYTES) {
        const block = bytes.subarray(at, at + BLOCK_BYTES)
        seen.bytes += block.length
        yield block
      }
    },
    identity: async () => name,
    hash: async () => name,
    onDisk: () => Promise.reject(new Error('it is text')),
  }
}

async function readAll(file: FoundFile): Promise<number> {
  const source = await openSource({ ...SURROUNDINGS, files: [file], spool: null })
  let items = 0
  for await (const batch of source.read(null)) items += batch.items.length
  return items
}

describe('what a packed file may come to', () => {
  const text = Buffer.from(`id,text\n${'1,again and again\n'.repeat(200_000)}`)

  it('is read up to that, and no byte further', async () => {
    expect(await readAll(fileOf('rows.csv.gz', gzipSync(text), text.length))).toBe(200_000)
    await expect(readAll(fileOf('rows.csv.gz', gzipSync(text), text.length - 1))).rejects.toMatchObject({
      code: 'file_too_large',
      message: `rows.csv.gz comes, unpacked, to more than ${text.length - 1} bytes`,
    })
  })

  it('is nothing to a file that is not packed, nor to one without a bound', async () => {
    expect(await readAll(fileOf('rows.csv', text, 10))).toBe(200_000)
    expect(await readAll(fileOf('rows.csv.gz', gzipSync(text)))).toBe(200_000)
  })
})

describe('a look at the beginning of an input', () => {
  it.each([
    ['rows.jsonl', Buffer.alloc(200 * MIB, 'x')],
    ['rows.csv', Buffer.concat([Buffer.from('id,text\n1,'), Buffer.alloc(200 * MIB, 'x')])],
    ['rows.jsonl', Buffer.alloc(200 * MIB, '\n')],
  ])('ends where nothing else does: %s', async (name, bytes) => {
    const file = fileOf(name, bytes)
    await expect(describeInput({ ...SURROUNDINGS, files: [file] })).rejects.toMatchObject({
      code: 'input_invalid',
      message: `${name} has no row within its first 64 MiB`,
    })
    expect(file.seen.bytes).toBeLessThan(110 * MIB)
  })

  it('holds no more of long rows than of short ones', async () => {
    const row = `${JSON.stringify({ text: 'x'.repeat(10 * MIB) })}\n`
    const file = fileOf('rows.jsonl', Buffer.from(row.repeat(20)))
    // By what was read, which is a little more than the rows that were found.
    const { rows, rowsTotal, rowsEstimated } = await describeInput({ ...SURROUNDINGS, files: [file] })
    expect(rows.length).toBeLessThan(8)
    expect([rowsTotal, rowsEstimated]).toStrictEqual([null, 18])
    expect(file.seen.bytes).toBeLessThan(110 * MIB)
  })
})
