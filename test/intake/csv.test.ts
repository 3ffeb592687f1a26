import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import Papa from 'papaparse'
import { describe, expect, it } from 'vitest'
import { findFiles } from '../../src/intake/find-files.ts'
import type { Source, SourceItem } from '../../src/intake/source.ts'
import { openCsv } from '../../src/intake/text-formats.ts'
import { type Asked, inputOf, workplace } from './workplace.ts'

const DATA = resolve(import.meta.dirname, '../../../shared/data')

async function openText(
  text: string | Buffer,
  csv: Asked['csv'] = {},
  name = 'input.csv',
  { dir } = workplace(),
): Promise<Source> {
  writeFileSync(join(dir, name), text)
  return openCsv(await findFiles(name, dir), inputOf({ csv }).csv, name.endsWith('.tsv') ? 'tsv' : 'csv')
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

describe.each(['banking77/train.csv', 'banking77/test.csv', 'companies/companies.csv'])('%s', (name) => {
  const path = join(DATA, name)
  it.skipIf(!existsSync(path))(
    'is read byte for byte as csv-parse and papaparse read it (skipped without ../shared/data)',
    async () => {
      const source = await openCsv(await findFiles(path, '/'), inputOf({}).csv, 'csv')
      const rows = [source.columns, ...rowsIn(await itemsOf(source))]
      const text = readFileSync(path, 'utf8')
      expect(rows).toStrictEqual(parse(text))
      expect(rows).toStrictEqual(Papa.parse(text.replace(/\r?\n$/, '')).data)
    },
  )
})

describe('records that cannot be read', () => {
  it('are refused one by one, each with its line; everything around them is read', async () => {
    const lines = [
      'id,text',
      '1,fine',
      '2',
      '3,a,b',
      '4,a "quote" inside',
      '5,"closed" too early',
      '6,zero \0 byte',
      '7,"two\nlines"',
      '8,ok',
    ]
    const items = await itemsOf(await openText(lines.join('\r\n')))
    expect(rowsIn(items)).toStrictEqual([
      ['1', 'fine'],
      ['7', 'two\nlines'],
      ['8', 'ok'],
    ])
    expect(problemsIn(items)).toStrictEqual([
      [3, 'it has 1 field, where 2 are expected'],
      [4, 'it has 3 fields, where 2 are expected'],
      [5, expect.stringContaining('a quote (") stands inside of a field')],
      [6, expect.stringContaining('text follows a closing quote')],
      [7, 'it holds a zero byte'],
    ])
    expect(items.find((item) => item.kind === 'unreadable' && item.line === 7)).toMatchObject({
      file: 'input.csv',
      excerpt: '6,zero \\x00 byte',
    })
  })

  it('never swallow the lines after a quote that is not closed', async () => {
    const items = await itemsOf(await openText('id,text\n1,"open\n2,b\n3,c\n4,"d"\n5,e\n6,"open again\n7,f\n'))
    expect(rowsIn(items).map(([id]) => id)).toStrictEqual(['2', '3', '4', '5', '7'])
    expect(problemsIn(items).map(([line]) => line)).toStrictEqual([2, 7])
  })

  it('name the lines that a ragged record spans', async () => {
    const items = await itemsOf(await openText('id,text\n1,"a\nb",c\n2,x\n'))
    expect(problemsIn(items)).toStrictEqual([[2, 'lines 2 to 3: it has 3 fields, where 2 are expected']])
    expect(rowsIn(items)).toStrictEqual([['2', 'x']])
  })

  it('may be 40 MB long, in memory for a fraction of that', async () => {
    const long = Buffer.concat([
      Buffer.from('id,text\n1,a\n2,'),
      Buffer.alloc(40 * 2 ** 20, 'x'),
      Buffer.from('\n3,c\n'),
    ])
    const source = await openText(long)
    const items = await itemsOf(source)
    expect(rowsIn(items)).toStrictEqual([
      ['1', 'a'],
      ['3', 'c'],
    ])
    expect(problemsIn(items)).toStrictEqual([[3, expect.stringContaining('longer than 16 MiB')]])
    // Also when reading goes on in the middle of it.
    let batch = 0
    for await (const { position } of source.read(null)) {
      if (batch++ % 150 !== 0) continue
      const rest = await itemsOf(source, position)
      expect(items.slice(items.length - rest.length)).toStrictEqual(rest)
    }
  })

  it('may be opened by a quote that is closed nowhere in 16 MiB', async () => {
    const filler = `2,${'y'.repeat(998)}\n`.repeat(17_000)
    const items = await itemsOf(await openText(`id,text\n1,"open\n${filler}3,"c"\n`))
    expect(problemsIn(items)).toStrictEqual([[2, expect.stringContaining('longer than 16 MiB, or opens a quote')]])
    expect(rowsIn(items).length).toBe(17_001)
  })
})

describe('what a file looks like is found out', () => {
  it.each([
    [',', 'a,b;c|d,e\n1,2;3|4,5\n', ['a', 'b;c|d', 'e']],
    [';', 'name;price\nA;1,50\nB;2,75\n', ['name', 'price']],
    ['\t', 'a\tb\n1,2\t3\n', ['a', 'b']],
    ['|', 'a|b|c\n1|2|3\n', ['a', 'b', 'c']],
    [',', 'text\nhello\nworld\n', ['text']],
  ])('delimiter %j', async (delimiter, text, columns) => {
    const source = await openText(text)
    expect(source.columns).toStrictEqual(columns)
    expect(source.notes).toContain(`delimiter ${delimiter === '\t' ? 'tab' : JSON.stringify(delimiter)}`)
  })

  it.each<[string, string, readonly string[] | null]>([
    ['names', 'id,text\n1,a\n2,b\n', ['id', 'text']],
    ['names alone', 'id,text\n', ['id', 'text']],
    ['numbers over numbers', '1,a\n2,b\n', null],
    ['an address', 'ann@example.com,x\nbob@example.com,y\n', null],
    ['years as names', 'region,2019,2020\nnorth,5,6\n', ['region', '2019', '2020']],
  ])('header: %s', async (_, text, columns) => {
    const source = await openText(text)
    expect(source.columns).toStrictEqual(columns ?? ['column_1', 'column_2'])
    expect(rowsIn(await itemsOf(source)).length).toBe(text.split('\n').length - (columns === null ? 1 : 2))
  })

  it('unless the spec says it', async () => {
    const source = await openText('id;text\n1;a\n', { delimiter: ',', header: false })
    expect(source.columns).toStrictEqual(['column_1'])
    expect(rowsIn(await itemsOf(source))).toStrictEqual([['id;text'], ['1;a']])
    expect((await openText('1,2\n3,4\n', { header: true })).columns).toStrictEqual(['1', '2'])
    expect((await openText('a,b\tc\n', {}, 'x.tsv')).columns).toStrictEqual(['a,b', 'c'])
  })

  it('and what is wrong with a header is said at once', async () => {
    await expect(openText('id,text,id,x,text\n1,2,3,4,5\n')).rejects.toMatchObject({
      code: 'input_invalid',
      message: 'input.csv:1 has two columns of one name: "id" (columns 1, 3); "text" (columns 2, 5)',
    })
    await expect(openText(',text\n0,a\n')).rejects.toMatchObject({ message: 'input.csv:1 has no name for column 1' })
    await expect(openText('')).rejects.toMatchObject({ code: 'input_invalid', message: 'input.csv is empty' })
    await expect(openText('\n\r\n\n')).rejects.toThrow('has no rows')
    await expect(openText('"open,text\n1,2\n')).rejects.toThrow('the first record cannot be read')
    await expect(openText(Buffer.from('PK\x03\x04 and so on'))).rejects.toThrow('zip archive')
  })
})

describe('lines', () => {
  it('may end with LF, CRLF or both in one file, and the last one with nothing', async () => {
    const items = await itemsOf(await openText('a,b\r\n1,"x\r\ny"\n2,"z"\r\n3,w\n4,"v"\r\n5,u'))
    expect(rowsIn(items)).toStrictEqual([
      ['1', 'x\r\ny'],
      ['2', 'z'],
      ['3', 'w'],
      ['4', 'v'],
      ['5', 'u'],
    ])
    expect(items.map((item) => item.line)).toStrictEqual([2, 4, 5, 6, 7])
  })

  it('may end with CR where there is no LF; else a CR is part of the text', async () => {
    expect(rowsIn(await itemsOf(await openText('a,b\r1,"x\ry"\r2,z\r')))).toStrictEqual([
      ['1', 'x\ry'],
      ['2', 'z'],
    ])
    expect(rowsIn(await itemsOf(await openText('a,b\n1,x\ry\n')))).toStrictEqual([['1', 'x\ry']])
  })

  it('that are wholly empty are skipped and counted, in a file of one column too', async () => {
    const source = await openText('\ntext\n\nhello\r\n\r\n""\n\n')
    expect(rowsIn(await itemsOf(source))).toStrictEqual([['hello'], ['']])
    const positions: string[] = []
    for await (const { position } of source.read(null)) positions.push(position)
    expect(source.notesAt(positions.at(-1) ?? null)).toStrictEqual(['3 empty lines skipped'])
  })
})

it('reads what was written, whatever the values: strings in, strings out', async () => {
  const work = workplace()
  const cell = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string(),
    fc.constantFrom('', '"', '\n', '\r\n', ',', ';', '\ufeff', ' x ', '""', '\r'),
  )
  const table = fc
    .integer({ min: 2, max: 5 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 12 }))
  await fc.assert(
    fc.asyncProperty(
      table,
      fc.constantFrom(',', ';', '\t', '|'),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      async (rows, delimiter, newline, quotes) => {
        // A zero byte is refused on purpose.
        const clean = rows.map((row) => row.map((value) => value.replaceAll('\0', '').toWellFormed()))
        const header = clean[0]?.map((_, at) => `h${at}`) ?? []
        const text = Papa.unparse([header, ...clean], { delimiter, newline, quotes })
        const source = await openText(text, { delimiter, header: true }, 'input.csv', work)
        expect(rowsIn(await itemsOf(source))).toStrictEqual(clean)
      },
    ),
    { numRuns: 150 },
  )
})

it('accounts for every line of any garbage, and agrees with csv-parse where csv-parse has no objection', async () => {
  const work = workplace()
  const garbage = fc.array(fc.constantFrom('a', 'b', ',', ',', '"', '"', '\n', '\n', '\r\n', '\r', 'é', '\0', ' '), {
    maxLength: 60,
  })
  await fc.assert(
    fc.asyncProperty(garbage, async (parts) => {
      const body = parts.join('')
      const source = await openText(`x,y\n${body}`, { delimiter: ',', header: true }, 'input.csv', work)
      const items = await itemsOf(source)
      const strict = strictly(body)
      if (strict !== null) expect(rowsIn(items)).toStrictEqual(strict)
      // Each line that holds anything is the first line of an item, or lies inside of the record of the one before.
      const lines = body.split('\n')
      const starts = items.map((item) => (item.line ?? 0) - 2)
      expect(starts).toStrictEqual([...new Set(starts)].sort((a, b) => a - b))
      for (const [at, line] of lines.entries()) {
        if (line.replace(/\r$/, '') === '' || starts.includes(at)) continue
        const owner = items.findLast((item) => (item.line ?? 0) - 2 < at)
        expect(owner, `line ${at} of ${JSON.stringify(body)}`).toBeDefined()
        expect(
          owner?.kind === 'row' ? owner.values.join() : `${owner?.kind === 'unreadable' && owner.message}`,
        ).toMatch(/\n|lines \d+ to \d+/)
      }
    }),
    { numRuns: 400 },
  )
})

/** What csv-parse reads, if it takes every record and all have two fields. */
function strictly(body: string): string[][] | null {
  if (body.includes('\0') || /\r(?!\n)/.test(body)) return null
  try {
    const rows = parse(body, { skip_empty_lines: true, record_delimiter: ['\r\n', '\n'] }) as string[][]
    return rows.every((row) => row.length === 2) ? rows : null
  } catch {
    return null
  }
}

it('goes on from every position as if it had never stopped', async () => {
  const rows = Array.from({ length: 6000 }, (_, at) =>
    at % 7 === 0 ? `${at},"line\r\n""${at}"""` : at % 11 === 0 ? `${at}` : `${at},${'ü'.repeat(at % 50)}`,
  )
  const source = await openText(`id,text\r\n${rows.join('\r\n')}\r\n`)
  const whole = await itemsOf(source)
  const positions: { position: string; after: number }[] = []
  let after = 0
  for await (const batch of source.read(null)) {
    after += batch.items.length
    positions.push({ position: batch.position, after })
  }
  expect(positions.length).toBeGreaterThan(2)
  for (const { position, after: from } of positions)
    expect(await itemsOf(source, position)).toStrictEqual(whole.slice(from))
})
