import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Document, isScalar, parseDocument, Scalar } from 'yaml'
import { type ScalarSource, scalarOffset } from '../../src/spec/scalar-offset.ts'

const STYLES = {
  literal: Scalar.BLOCK_LITERAL,
  folded: Scalar.BLOCK_FOLDED,
  double: Scalar.QUOTE_DOUBLE,
  single: Scalar.QUOTE_SINGLE,
  plain: Scalar.PLAIN,
} as const

/** A text written in a style, three levels deep, and where it stands. */
function write(text: string, style: ScalarSource['style'], lineWidth: number) {
  const scalar = new Scalar(text)
  scalar.type = STYLES[style]
  const source = new Document({ a: { b: { c: scalar, d: 1 } } }).toString({ lineWidth })
  const node = parseDocument(source).getIn(['a', 'b', 'c'], true)
  // The writer cannot say every text in every style: what it wrote is what counts.
  if (!isScalar(node) || node.range == null || typeof node.value !== 'string') return null
  const written = (Object.keys(STYLES) as (keyof typeof STYLES)[]).find((each) => STYLES[each] === node.type)
  return {
    source,
    node: { style: written ?? 'plain', start: node.range[0], end: node.range[1], value: node.value } as const,
  }
}

const texts = fc
  .array(
    fc.string({ unit: fc.constantFrom('a', 'b', '{', '}', ' ', "'", '"', 'é', '😀', '\\', ':', '#'), maxLength: 12 }),
    { maxLength: 6 },
  )
  .map((lines) => lines.join('\n'))

describe('scalarOffset', () => {
  it.each(['literal', 'double', 'single', 'plain'] as const)(
    'finds every character of a %s text in its source',
    (style) => {
      fc.assert(
        fc.property(texts, fc.constantFrom(0, 40), (text, lineWidth) => {
          const written = write(text, style, lineWidth)
          fc.pre(written !== null)
          const { source, node } = written
          for (const [index, char] of node.value.split('').entries()) {
            if (/\s/.test(char)) continue
            const found = source[scalarOffset(source, node, index)]
            expect([char, node.style === 'double' ? '\\' : char, node.style === 'single' ? "'" : char]).toContain(found)
          }
        }),
        { numRuns: 300 },
      )
    },
  )

  it('finds every word of a folded text', () => {
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '{', 'x'), minLength: 1, maxLength: 9 }), {
      minLength: 1,
      maxLength: 30,
    })
    fc.assert(
      fc.property(words, fc.constantFrom(20, 40), (each, lineWidth) => {
        const text = `${each.map((word, n) => `${word}${n % 7 === 6 ? '\n' : ' '}`).join('')}end\n`
        const written = write(text, 'folded', lineWidth)
        fc.pre(written !== null)
        const { source, node } = written
        for (const [index, char] of node.value.split('').entries()) {
          if (!/\s/.test(char)) expect(source[scalarOffset(source, node, index)]).toBe(char)
        }
      }),
    )
  })

  it('reads CRLF files too', () => {
    const source = 'a:\r\n  b: |\r\n    one\r\n    two {{ x }}\r\n'
    const node = parseDocument(source).getIn(['a', 'b'], true) as Scalar
    const value = 'one\ntwo {{ x }}\n'
    expect(node.value).toBe(value)
    const [start, end] = node.range as [number, number, number]
    expect(scalarOffset(source, { style: 'literal', start, end, value }, value.indexOf('{{'))).toBe(
      source.indexOf('{{'),
    )
  })
})
