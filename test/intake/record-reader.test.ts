import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createCsvReader } from '../../src/intake/csv-reader.ts'
import { growingColumns } from '../../src/intake/growing-columns.ts'
import { createJsonArrayReader } from '../../src/intake/json-array-reader.ts'
import { createJsonLinesReader } from '../../src/intake/json-lines-reader.ts'
import { type RecordReader, readRecords } from '../../src/intake/record-reader.ts'
import type { SourceItem } from '../../src/intake/source.ts'
import type { TextFile } from '../../src/intake/text-file.ts'

const START = { line: 1 }
const READERS: Readonly<Record<string, () => RecordReader>> = {
  csv: () =>
    createCsvReader(
      {
        file: 'f',
        fileIndex: 0,
        encoding: 'utf-8',
        dialect: { delimiter: 0x2c, newline: 0x0a },
        delimiter: ',',
        columns: 2,
      },
      START,
    ),
  'csv with CR': () =>
    createCsvReader(
      {
        file: 'f',
        fileIndex: 0,
        encoding: 'utf-8',
        dialect: { delimiter: 0x2c, newline: 0x0d },
        delimiter: ',',
        columns: 2,
      },
      START,
    ),
  jsonl: () => createJsonLinesReader({ file: 'f', fileIndex: 0, columns: growingColumns([]) }, START),
  json: () => createJsonArrayReader({ file: 'f', fileIndex: 0, columns: growingColumns([]) }, START),
}

async function read(reader: RecordReader, bytes: Buffer, sizes: readonly number[]): Promise<SourceItem[]> {
  async function* pieces() {
    // The memory of each piece is written over when the next one is asked for, as it is when files are read.
    const memory = Buffer.alloc(bytes.length + 1)
    for (let at = 0, piece = 0; at < bytes.length; piece++) {
      const size = sizes[piece % sizes.length] as number
      const length = bytes.copy(memory, 0, at, at + size)
      yield { bytes: memory.subarray(0, length), bytesRead: at }
      memory.fill('!')
      at += length
    }
  }
  const items: SourceItem[] = []
  for await (const block of readRecords({ read: pieces } as unknown as TextFile, reader, 0)) items.push(...block.items)
  return items
}

it.each(Object.keys(READERS))('%s: what is read does not depend on the pieces it comes in', async (name) => {
  const part = fc.constantFrom(
    'a',
    ',',
    ',',
    '"',
    '"',
    '\n',
    '\n',
    '\r\n',
    '\r',
    'é',
    '🙂',
    '\0',
    '{"a":1}',
    '[',
    ']',
    '{',
    '}',
    ':',
  )
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 60 }), sizes, async (parts, pieces) => {
      const bytes = Buffer.from((name === 'json' ? '[' : '') + parts.join(''))
      const make = READERS[name] as () => RecordReader
      expect(await read(make(), bytes, pieces)).toStrictEqual(await read(make(), bytes, [bytes.length + 1]))
    }),
    { numRuns: 500 },
  )
})
