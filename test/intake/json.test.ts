import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findFiles } from '../../src/intake/find-files.ts'
import type { Source, SourceItem } from '../../src/intake/source.ts'
import { openJson } from '../../src/intake/text-formats.ts'
import { workplace } from './workplace.ts'

async function openText(text: string | Buffer, name = 'input.jsonl', { dir } = workplace()): Promise<Source> {
  writeFileSync(join(dir, name), text)
  return openJson(await findFiles(name, dir), name.includes('jsonl') ? 'jsonl' : 'json')
}

async function itemsOf(source: Source, from: string | null = null): Promise<SourceItem[]> {
  const items: SourceItem[] = []
  for await (const batch of source.read(from)) items.push(...batch.items)
  return items
}

const rowsIn = (items: readonly SourceItem[]) => items.flatMap((item) => (item.kind === 'row' ? [item.values] : []))
const problemsIn = (items: readonly SourceItem[]) =>
  items.flatMap((item) =>
    item.kind === 'unreadable' ? [[item.line, item.message.replace(/^.*cannot be read: /, '')]] : [],
  )

describe('JSON lines', () => {
  it('are rows by their keys; a line that is no object is refused with its line', async () => {
    const source = await openText(
      '{"a":1,"b":"x"}\r\n\n[1]\n{"b":2,"c":{"d":[1]}}\n{"a":\nnull\n{"a":12345678901234567890}',
    )
    expect(source.columns).toStrictEqual(['a', 'b', 'c'])
    const items = await itemsOf(source)
    expect(rowsIn(items)).toStrictEqual([[1, 'x'], [null, 2, { d: [1] }], [12345678901234567890n]])
    expect(problemsIn(items)).toStrictEqual([
      [3, 'it is an array, where an object is expected'],
      [5, 'it is not valid JSON: it ends too early'],
      [6, 'it is null, where an object is expected'],
    ])
  })

  it('gain columns as keys are met, and what came before lacks them', async () => {
    const { dir, intake } = workplace()
    const lines = Array.from({ length: 9000 }, (_, n) =>
      JSON.stringify(n === 8000 ? { n, late: 'x' } : { n, text: 'y'.repeat(40) }),
    )
    writeFileSync(join(dir, 'input.jsonl'), lines.join('\n'))
    const { columns, values, input } = await intake({ source: 'input.jsonl', key: 'n' })
    expect(columns).toStrictEqual(['n', 'text', 'late'])
    expect(input.columns).toStrictEqual(columns)
    expect(values[0]).toStrictEqual({ index: 0, id: '0', values: [0, 'y'.repeat(40), null] })
    expect(values[8000]).toStrictEqual({ index: 8000, id: '8000', values: [8000, null, 'x'] })
  })

  it('have their columns also where the very first is longer than what is looked at', async () => {
    const { dir, intake } = workplace()
    const long = JSON.stringify({ text: 'y'.repeat(3_000_000), id: 'a' })
    writeFileSync(join(dir, 'input.jsonl'), `\n${long}\n{"id":"b"}`)
    const { columns, values } = await intake({ source: 'input.jsonl', key: 'id' })
    expect(columns).toStrictEqual(['text', 'id'])
    expect(values.map(({ id }) => id)).toStrictEqual(['a', 'b'])
  })

  it('with more than a thousand keys are data: the line with one more is refused', async () => {
    const lines = Array.from({ length: 1001 }, (_, n) => `{"key_${n}":1}`)
    const items = await itemsOf(await openText(lines.join('\n')))
    expect(problemsIn(items)).toStrictEqual([
      [1001, 'it has the new key "key_1000", and the input has 1000 keys already'],
    ])
  })

  it('may be too long, or in no encoding', async () => {
    const long = Buffer.from(`{"a":1}\n{"a":"${'x'.repeat(20 * 2 ** 20)}"}\n{"a":2}\n`)
    const items = await itemsOf(await openText(long))
    expect(rowsIn(items)).toStrictEqual([[1], [2]])
    expect(problemsIn(items)).toStrictEqual([[2, 'it is longer than 16 MiB']])
    const broken = Buffer.concat([
      Buffer.from(`${'{"a":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}\n'.repeat(10_000)}`),
      Buffer.from('{"a":"\xe9"}\n', 'latin1'),
    ])
    expect(problemsIn(await itemsOf(await openText(broken)))).toStrictEqual([
      [10_001, 'it holds bytes that are no valid UTF-8'],
    ])
  })
})

describe('a JSON array', () => {
  it('is read element by element, packed too', async () => {
    const objects = Array.from({ length: 5000 }, (_, n) => ({ n, text: `"[{${n}\\`, list: [{ a: ']' }] }))
    for (const text of [JSON.stringify(objects), JSON.stringify(objects, null, 2), gzipSync(JSON.stringify(objects))]) {
      const source = await openText(text, Buffer.isBuffer(text) ? 'input.json.gz' : 'input.json')
      const rows = rowsIn(await itemsOf(source))
      expect(rows).toStrictEqual(objects.map((object) => Object.values(object)))
    }
  })

  it('that is broken loses no more than what is broken', async () => {
    const source = await openText('[\n{"a":1},\n{"a":nope},\n5,\n{"a":2} {"a":3},,\n{"a":4}', 'input.json')
    const items = await itemsOf(source)
    expect(rowsIn(items)).toStrictEqual([[1], [2], [4]])
    expect(problemsIn(items)).toStrictEqual([
      [3, 'it is not valid JSON'],
      [4, 'it is a number, where an object is expected'],
      [5, 'a comma is missing before this element'],
      [5, 'a comma stands where an element should'],
      [6, 'the array is not closed: the file may be cut off'],
    ])
  })

  it('that ends inside of an element, or goes on behind its end', async () => {
    expect(problemsIn(await itemsOf(await openText('[{"a":1},{"a":"x', 'input.json')))).toStrictEqual([
      [1, 'the file ends before this element does'],
      [1, 'the array is not closed: the file may be cut off'],
    ])
    expect(problemsIn(await itemsOf(await openText('[{"a":1}]\n{"a":2}', 'input.json')))).toStrictEqual([
      [2, 'text follows the end of the array'],
    ])
  })

  it('may hold an element of 20 MB', async () => {
    const text = `[{"a":1},\n{"a":"${'x[{"'.repeat(5 * 2 ** 20).replaceAll('"', '\\"')}"}\n,{"a":2}]`
    const items = await itemsOf(await openText(text, 'input.json'))
    expect(rowsIn(items)).toStrictEqual([[1], [2]])
    expect(problemsIn(items)).toStrictEqual([[2, 'it is longer than 16 MiB']])
  })

  it('without rows is an input without rows; what is no array is refused with what to do', async () => {
    expect(await itemsOf(await openText(' [ ] ', 'input.json'))).toStrictEqual([])
    await expect(openText('{"meta":1,"rows":[{"a":1}]}', 'input.json')).rejects.toMatchObject({
      code: 'input_invalid',
      hint: expect.stringContaining('Its "rows" is an array'),
    })
    await expect(openText('[1,2]', 'input.json')).rejects.toThrow('holds no JSON object')
    await expect(openText(' \n ', 'input.jsonl')).rejects.toThrow('has no rows')
    const lines = await openText('{"a":1}\n{"a":2}\n', 'input.json')
    expect(lines.notes).toContain('read as JSON lines')
    expect(rowsIn(await itemsOf(lines))).toStrictEqual([[1], [2]])
  })
})

it.each(['input.jsonl', 'input.json'])(
  '%s: reading goes on from every position, and any garbage is accounted for',
  async (name) => {
    const work = workplace()
    const part = fc.constantFrom(
      '{"a":1}',
      '{"b":"}]"}',
      ',',
      '\n',
      '[',
      ']',
      '{',
      '}',
      '"',
      '5',
      'null',
      ' ',
      '\\',
      'é',
    )
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 40 }), async (parts) => {
        const start = name === 'input.json' ? '[{"a":0},' : '{"a":0}\n'
        const source = await openText(`${start}${parts.join('')}`, name, work)
        const items = await itemsOf(source)
        expect(items[0]).toMatchObject({ kind: 'row', values: [0] })
        for await (const { position, items: before } of source.read(null)) {
          const rest = await itemsOf(source, position)
          expect(items.slice(items.length - rest.length)).toStrictEqual(rest)
          expect(rest.length).toBeLessThanOrEqual(items.length - (before.length > 0 ? 1 : 0))
        }
        if (name === 'input.jsonl') {
          const lines = parts
            .join('')
            .split('\n')
            .filter((line) => line.trim() !== '')
          expect(items.length).toBe(1 + lines.length)
        }
      }),
      { numRuns: 100 },
    )
  },
)
