import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { firstInvalidUtf8, toUtf8 } from '../../src/intake/encoding.ts'
import { collect } from '../blob/collect.ts'
import { type Asked, workplace } from './workplace.ts'

const TEXT = 'id,text\r\n1,"naïve — 🙂\r\n€"\r\n2,plain\r\n'
const ROWS = [
  ['1', 'naïve — 🙂\r\n€'],
  ['2', 'plain'],
]

const bigEndian = (text: string) => Buffer.from(text, 'utf16le').swap16()

async function read(bytes: Uint8Array, asked: Asked = {}) {
  const { dir, intake } = workplace()
  writeFileSync(join(dir, 'input.csv'), bytes)
  return intake({ source: 'input.csv', ...asked })
}

describe('a file is read by its encoding', () => {
  it.each<[string, Uint8Array, Asked['csv'], string[]]>([
    ['UTF-8', Buffer.from(TEXT), {}, []],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${TEXT}`), {}, ['byte order mark removed']],
    ['UTF-16 LE', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), {}, ['encoding utf-16le', 'byte order mark removed']],
    ['UTF-16 BE', bigEndian(`\ufeff${TEXT}`), {}, ['encoding utf-16be', 'byte order mark removed']],
    ['UTF-16 LE as said', Buffer.from(TEXT, 'utf16le'), { encoding: 'utf-16le' }, ['encoding utf-16le']],
    ['UTF-16 BE as said', bigEndian(TEXT), { encoding: 'utf-16be' }, ['encoding utf-16be']],
  ])('%s', async (_, bytes, csv, notes) => {
    const { values, input } = await read(bytes, { csv })
    expect(values.map((row) => row.values)).toStrictEqual(ROWS)
    expect(input.notes).toStrictEqual(expect.arrayContaining(notes))
  })

  it('Latin-1 (windows-1252) when the spec says so', async () => {
    const { values } = await read(Buffer.from([...Buffer.from('id,text\n1,'), 0x80, 0xe9, 0x93, 0x0a]), {
      csv: { encoding: 'latin1' },
    })
    expect(values[0]?.values).toStrictEqual(['1', '€é“'])
  })

  it('packed with gzip, whatever its name', async () => {
    const { values, input } = await read(gzipSync(TEXT))
    expect(values.map((row) => row.values)).toStrictEqual(ROWS)
    expect(input.notes).toContain('gzip')
  })
})

describe('what is no text is never mangled', () => {
  it('at the beginning: an error that names line and byte, and says what to do', async () => {
    await expect(read(Buffer.from('id,text\n1,caf\xe9\n', 'latin1'))).rejects.toMatchObject({
      code: 'input_invalid',
      message: 'input.csv:2 is not valid utf-8: byte 14 of the text is no character',
      place: { file: 'input.csv', line: 2 },
      hint: expect.stringContaining('input.csv.encoding: latin1'),
    })
  })

  it('later: a dead letter', async () => {
    const head = `id,text\n${'0,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n'.repeat(8000)}`
    const { values, manifest } = await read(
      Buffer.concat([Buffer.from(head), Buffer.from('1,caf\xe9\n2,"fi\xe9"\n3,fin\n', 'latin1')]),
    )
    expect(values.length).toBe(8001)
    expect(values.at(-1)?.values).toStrictEqual(['3', 'fin'])
    expect(manifest.unreadable()).toMatchObject([
      {
        line: 8002,
        index: 8000,
        excerpt: '1,caf\\xe9',
        message: 'input.csv:8002 cannot be read: byte 6 of the record is no character in utf-8',
      },
      { line: 8003, index: 8001 },
    ])
  })

  it('UTF-16 without a mark, and half characters in it', async () => {
    await expect(read(Buffer.from(TEXT, 'utf16le'))).rejects.toMatchObject({
      hint: 'Say input.csv.encoding: utf-16le, or save it as UTF-8.',
    })
    const head = `id,text\n${'0,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n'.repeat(8000)}`
    const { values, manifest } = await read(Buffer.from(`\ufeff${head}1,\ud83d\n2,b\n`, 'utf16le'))
    expect(values.at(-1)?.values).toStrictEqual(['2', 'b'])
    expect(manifest.unreadable()).toMatchObject([
      { line: 8002, message: expect.stringContaining('no character in utf-16le') },
    ])
  })

  it('a packed file that is cut off', async () => {
    const packed = gzipSync(Buffer.from(`a,b\n${'1,2\n'.repeat(200_000)}`))
    await expect(read(packed.subarray(0, packed.length - 20))).rejects.toMatchObject({
      code: 'input_invalid',
      message: expect.stringContaining('cannot be unpacked to its end'),
    })
  })
})

it('re-encodes any text, however it is cut into pieces', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), sizes, fc.boolean(), async (text, pieces, swap) => {
      const bytes = swap ? bigEndian(text) : Buffer.from(text, 'utf16le')
      async function* cut() {
        for (let at = 0, piece = 0; at < bytes.length; piece++) {
          const size = pieces[piece % pieces.length] as number
          yield bytes.subarray(at, at + size)
          at += size
        }
      }
      const out = Buffer.concat(await collect(toUtf8(cut(), swap ? 'utf-16be' : 'utf-16le')))
      if (text.isWellFormed()) expect(out.toString()).toBe(text)
      else expect(firstInvalidUtf8(out, false)).toBeGreaterThanOrEqual(0)
    }),
  )
})

it('finds the first byte that is no character', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(0xff, 0xc3, 0x80, 0xf0),
      fc.string(),
      (before, bad, after) => {
        const valid = Buffer.from(before)
        expect(firstInvalidUtf8(valid, false)).toBe(-1)
        expect(firstInvalidUtf8(Buffer.concat([valid, Buffer.from([bad]), Buffer.from(`x${after}`)]), false)).toBe(
          valid.length,
        )
        for (let cut = 1; cut <= Math.min(3, valid.length); cut++)
          expect(firstInvalidUtf8(valid.subarray(0, -cut), true)).toBe(-1)
      },
    ),
  )
})
