import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from '../../src/domain/row.ts'
import { fixedText } from '../../src/row/fixed-text.ts'
import { createRowProgram } from '../../src/row/program.ts'
import { requestHash } from '../../src/row/request-hash.ts'
import { row, spec } from './fixture.ts'

const COLUMNS = ['subject', 'body']

function sent(variation: Parameters<typeof spec>[0], ...values: readonly Value[]) {
  const prepared = createRowProgram(spec(variation), COLUMNS).prepare(row(...values), [], {
    fallbackAllowed: () => false,
  })
  if (prepared.kind !== 'send') throw new Error(prepared.kind)
  return prepared
}

describe('the fixed beginning of a template', () => {
  it.each([
    ['Hello {{ vars.x }}, {{ subject }} and {{ body }} end', 'Hello {{ vars.x }}, ', 'subject', 9],
    ['{% assign q = vars.l %}{{ q }} {{ row["odd name"] }}.', '{% assign q = vars.l %}{{ q }} ', 'row.odd name', 1],
    ['one\ntwo {% if subject %}three{% endif %} four', 'one\ntwo ', 'subject', 5],
    ['no name', 'no name', null, 0],
  ])('of %j ends where the row begins', (template, head, name, laterBytes) => {
    const found = fixedText(template)
    expect([found.head, found.row?.name ?? null, found.laterBytes]).toEqual([head, name, laterBytes])
  })

  it('says where the row is named', () => {
    expect(fixedText('one\n  {{ subject }}').row).toEqual({ name: 'subject', line: 2, column: 6 })
  })
})

describe('what a request says of its fixed part', () => {
  it('is what all rows begin with, whatever they hold, and does not change the hash', () => {
    const piece = fc.constantFrom(
      'Label it. ',
      'Größe: 5 µm\n',
      '{{ vars.tone }}',
      '{{ subject }}',
      '{{- body -}}',
      '  ',
      '{% if body != "" %}B: {{ body }}{% endif %}',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.string(), fc.string(), (pieces, one, other) => {
        const variation = { system: 'Be {{ vars.tone }}.', user: pieces.join(''), vars: { tone: 'calm' } }
        const [a, b] = [sent(variation, one, other).request, sent(variation, other, one).request]
        expect(a.fixed).toEqual(b.fixed)
        const { system = false, userChars = 0, bytes = 0 } = a.fixed ?? {}
        const head = a.messages[0]?.text.slice(0, userChars) ?? ''
        expect(system).toBe(true)
        expect(b.messages[0]?.text.startsWith(head)).toBe(true)
        expect(bytes).toBe(Buffer.byteLength('Be calm.') + Buffer.byteLength(head))
        const { fixed: _, ...plain } = a
        expect(requestHash(plain)).toBe(requestHash(a))
      }),
    )
  })

  it('is nothing where the system prompt names a column', () => {
    const { request } = sent({ system: 'About {{ subject }}.', user: 'Always the same. {{ body }}' }, 's', 'b')
    expect(request.fixed).toEqual({ system: false, userChars: 0, bytes: 0 })
  })

  it('is all of a prompt that names no column: the row follows it', () => {
    const { request } = sent({ user: 'Label this row.' }, 's', 'b')
    expect(request.fixed).toEqual({ system: true, userChars: 15, bytes: 15 })
    expect(request.messages[0]?.text).toBe('Label this row.\n\n{"subject":"s","body":"b"}')
  })
})
