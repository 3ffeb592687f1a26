import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filePositions, newReport } from '../../src/spec/positions.ts'
import { parseShortForm, schemaFromFields } from '../../src/spec/short-form.ts'

describe('parseShortForm', () => {
  it.each([
    ['string', { type: 'string' }],
    ['boolean', { type: 'boolean' }],
    ['number', { type: 'number' }],
    ['number(0..1)', { type: 'number', minimum: 0, maximum: 1 }],
    ['number( -1.5 .. )', { type: 'number', minimum: -1.5 }],
    ['number(..1)', { type: 'number', maximum: 1 }],
    ['integer(1..5)', { type: 'integer', minimum: 1, maximum: 5 }],
    ['string?', { type: ['string', 'null'] }],
    ['string[]', { type: 'array', items: { type: 'string' } }],
    ['integer(1..5)[]?', { type: ['array', 'null'], items: { type: 'integer', minimum: 1, maximum: 5 } }],
    ['string?[]', { type: 'array', items: { type: ['string', 'null'] } }],
    ['enum[a, b c, d]', { type: 'string', enum: ['a', 'b c', 'd'] }],
    ['enum[a]?', { type: ['string', 'null'], enum: ['a', null] }],
    [`enum["a, b", 'c]', "say \\"hi\\"", don't]`, { type: 'string', enum: ['a, b', 'c]', 'say "hi"', "don't"] }],
    ['enum["", x]', { type: 'string', enum: ['', 'x'] }],
  ])('reads %s', (text, schema) => {
    expect(parseShortForm(text)).toEqual({ schema })
  })

  it.each([
    ['strng', 'unknown type "strng"', 'did you mean "string"?'],
    ['int', 'unknown type "int"', 'did you mean integer?'],
    ['', 'unknown type an empty text', /types are/],
    ['enum', 'enum needs its values in square brackets', /enum\[billing/],
    ['enum(a, b)', 'enum needs its values in square brackets', /enum\[billing/],
    ['enum[]', 'a value of enum is missing', /enum\[billing/],
    ['enum[a,]', 'a value of enum is missing', /enum\[billing/],
    ['enum[a', 'the list of enum is not closed, or a quote in it is not', /enum\[billing/],
    ['enum["a]', 'the list of enum is not closed, or a quote in it is not', /enum\[billing/],
    ['enum[a, a]', 'enum holds "a" twice', /Keep/],
    ['number(1)', '"1" is no range', /both ends/],
    ['number(..)', '".." is no range', /both ends/],
    ['number(2..1)', 'the range 2..1 is empty', /smaller/],
    ['integer(0.5..2)', 'the ends of 0.5..2 must be whole numbers', /number/],
    ['string!', '"string!" is no short form', /What is "!"/],
    ['string, or null', '"string, or null" is no short form', /What is ","/],
  ])('refuses %j', (text, message, hint) => {
    expect(parseShortForm(text)).toEqual({
      message,
      hint: typeof hint === 'string' ? hint : expect.stringMatching(hint),
    })
  })

  it('carries any text through a quoted enum', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 5 }), (values) => {
        const quoted = values.map((value) => `"${value.replace(/["\\]/g, '\\$&')}"`)
        expect(parseShortForm(`enum[${quoted.join(', ')}]`)).toEqual({ schema: { type: 'string', enum: values } })
      }),
    )
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parseShortForm(text)).toBeTypeOf('object')
      }),
    )
  })
})

describe('schemaFromFields', () => {
  const read = (fields: Record<string, unknown>) => {
    const report = newReport(filePositions('s.yaml'))
    const schema = schemaFromFields(fields, ['output', 'fields'], report)
    return { schema, messages: report.findings.map(({ message }) => message) }
  }

  it('makes an object whose fields are all required, in order', () => {
    expect(read({ segment: 'string', confidence: 'number' })).toEqual({
      schema: {
        type: 'object',
        properties: { segment: { type: 'string' }, confidence: { type: 'number' } },
        required: ['segment', 'confidence'],
        additionalProperties: false,
      },
      messages: [],
    })
  })

  it('nests mappings and lists of one', () => {
    const { schema, messages } = read({ items: [{ name: 'string' }], tags: ['enum[a, b]'] })
    expect(messages).toEqual([])
    expect(schema).toMatchObject({
      properties: {
        items: {
          type: 'array',
          items: {
            type: 'object',
            properties: { name: { type: 'string' } },
            required: ['name'],
            additionalProperties: false,
          },
        },
        tags: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
      },
    })
  })

  it('says of each field what is wrong', () => {
    expect(read({ a: ['x', 'y'], b: 5, c: { d: 'strng' }, e: ['oops'] }).messages).toEqual([
      'output.fields.a: a list holds one short form, the kind of its items',
      'output.fields.b must be a short form such as string or enum[a, b], got 5',
      'output.fields.c.d: unknown type "strng"',
      'output.fields.e: a list holds one short form, the kind of its items',
    ])
  })
})
