import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Value } from '../../src/domain/row.ts'
import { analyseTemplate } from '../../src/row/analyse.ts'
import { liquid } from '../../src/row/liquid.ts'
import type { World } from '../../src/row/scope.ts'
import { scopeFor } from '../../src/row/scope.ts'
import { compileTemplate } from '../../src/row/template.ts'
import { row } from './fixture.ts'

const world: World = { columns: ['a', 'b', 'odd name'], vars: { language: 'English', n: 3 } }

function render(text: string, values: readonly Value[], columns: readonly string[] = world.columns): string {
  const rendered = compileTemplate(text, analyseTemplate(text), { ...world, columns }).render(row(...values))
  return 'text' in rendered
    ? rendered.text
    : `fault ${rendered.fault.line}:${rendered.fault.column} ${rendered.fault.message}`
}

/** Any UTF-16 at all: astral, combining, control characters, template marks, lone surrogates. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme-composite' }),
  fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
  fc
    .array(fc.constantFrom('{{', '}}', '{%', '%}', ' a ', '"', "'", '\\', '&', '<', '\r\n', '\u{1F600}'))
    .map((parts) => parts.join('')),
)

describe('values in a template', () => {
  it('stand byte for byte, whatever they hold', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        expect(render('<{{ a }}|{{ b }}>', [a, b, ''])).toBe(`<${a}|${b}>`)
        expect(render('{% if true %}{{ a }}|{{ row["b"] }}{% endif %}', [a, b, ''])).toBe(`${a}|${b}`)
      }),
    )
  })

  it('are rendered once: a row cannot write a template', () => {
    const evil = '{{ b }}{% assign x = 1 %}{{ vars.language }}'
    expect(render('{{ a }}', [evil, 'secret', ''])).toBe(evil)
    expect(render('{% for part in row["odd name"] %}{{ part }}{% endfor %}', ['', 'secret', [evil]])).toBe(evil)
    expect(render('{% capture c %}{{ a }}{% endcapture %}{{ c }}', [evil, 'secret', ''])).toBe(evil)
  })

  it('that are no text are written as JSON, with every digit', () => {
    const big = 12345678901234567890n
    expect(render('{{ a }}|{{ b }}|{{ row["odd name"] }}', [{ x: [1, 'ü', null] }, [true, big], null])).toBe(
      '{"x":[1,"ü",null]}|[true,12345678901234567890]|',
    )
    expect(render('{{ a }} {{ b }} {{ row["odd name"] }}', [big, false, 0.1])).toBe('12345678901234567890 false 0.1')
    expect(render('{{ row | json }}', ['x', big, null])).toBe('{"a":"x","b":12345678901234567890,"odd name":null}')
  })

  it('that are no text go through text filters as JSON', () => {
    expect(render('{{ a | upcase | truncate: 8, "" }}', [{ x: 'y' }, '', ''])).toBe('{"X":"Y"')
    expect(render('{{ a | join: "; " }}', [['x', { y: 1 }, null], '', ''])).toBe('x; {"y":1}; ')
  })

  it('are reached under any column name', () => {
    expect(
      render(
        '{{ row["__proto__"] }}{{ row["constructor"] }}{{ toString }}',
        ['1', '2', '3'],
        ['__proto__', 'constructor', 'toString'],
      ),
    ).toBe('123')
    expect(render('{{ größe }} {{ ticket-id }}', ['1', '2'], ['größe', 'ticket-id'])).toBe('1 2')
  })
})

describe('a direct template', () => {
  const filters = fc.constantFrom(
    '',
    ' | strip',
    ' | json',
    ' | truncate: 7',
    ' | default: "none"',
    ' | truncate_tokens: 2',
    ' | strip | truncate: 5, "…"',
  )
  const name = fc.constantFrom('a', 'row.b', 'row["odd name"]', 'vars.language', 'vars["n"]')
  const value = fc.oneof(
    anyText,
    fc.constant(null),
    fc.boolean(),
    fc.double(),
    fc.bigInt(),
    fc.array(fc.integer()),
    fc.dictionary(fc.string(), fc.integer()),
  )
  const text = fc.string().map((part) => part.replaceAll('{', '('))

  it('gives what LiquidJS gives', () => {
    const output = fc.tuple(text, name, filters, fc.constantFrom('', '-'), fc.constantFrom('', '-'))
    fc.assert(
      fc.property(fc.array(output), fc.tuple(value, value, value), (parts, values) => {
        const template = parts.map(([before, path, filter, l, r]) => `${before}{{${l} ${path}${filter} ${r}}}`).join('')
        const scope = scopeFor(analyseTemplate(template).variables, world)
        expect(render(template, values)).toBe(liquid.renderSync(liquid.parse(template), scope(row(...values), null)))
      }),
    )
  })
})

describe('truncate_tokens', () => {
  it('keeps a beginning of at most four bytes a token, and cuts between code points', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 20 }), (text, tokens) => {
        const kept = render(`{{ a | truncate_tokens: ${tokens} }}`, [text, '', ''])
        expect(text.startsWith(kept)).toBe(true)
        expect(kept.isWellFormed()).toBe(true)
        expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(tokens * 4)
        const next = Array.from(text.slice(kept.length))[0]
        if (next !== undefined) expect(Buffer.byteLength(kept + next)).toBeGreaterThan(tokens * 4)
      }),
    )
  })

  it('wants a whole number', () => {
    expect(render('{{ a | truncate_tokens: "many" }}', ['x', '', ''])).toContain('truncate_tokens needs a whole number')
    expect(render('{{ a | truncate_tokens }}', ['x', '', ''])).toContain('truncate_tokens needs a whole number')
  })
})

describe('what a row lacks', () => {
  it('is a fault with its name and place', () => {
    expect(render('x\n  {{ a.author.name }}', [{ author: {} }, '', ''])).toBe('fault 2:6 there is no "a.author.name"')
  })

  it('may be asked for with `if` and `default`', () => {
    expect(render('{% if a.author %}by {{ a.author }}{% else %}anon{% endif %}', [{}, '', ''])).toBe('anon')
    expect(render('{{ a.author | default: "anon" }}', [{}, '', ''])).toBe('anon')
    expect(render('{{ a.author | default: "anon" }}', [null, '', ''])).toBe('anon')
  })
})

describe('a loop without end', () => {
  it('is a fault, not a hung worker', () => {
    expect(render('{% for i in (1..1000000000000) %}{{ i }}{% endfor %}', ['', '', ''])).toContain(
      'memory alloc limit exceeded',
    )
  })
})
