import { describe, expect, it } from 'vitest'
import { compileSchema } from '../../src/row/output-schema.ts'

const find = (schema: object, value: unknown) => compileSchema(schema as { [key: string]: unknown })(value)
const field = (schema: object, value: unknown) => find({ type: 'object', properties: { f: schema } }, { f: value })

describe('a finding says the field, the value and the rule', () => {
  it.each([
    [{ enum: ['billing', 'login'] }, 'delivery time', 'f "delivery time" is not one of billing, login'],
    [
      { enum: Array.from({ length: 77 }, (_, i) => `card_category_${i}`) },
      'x',
      'f "x" is not one of card_category_0, card_category_1, card_category_2, card_category_3, … (77)',
    ],
    [{ const: 'ok' }, 1, 'f 1 is not "ok"'],
    [{ type: 'integer' }, 1.5, 'f 1.5 is not an integer'],
    [{ type: ['string', 'null'] }, 5, 'f 5 is not a string or null'],
    [{ type: 'number', minimum: 0 }, -1, 'f -1 is not >= 0'],
    [{ type: 'number', exclusiveMaximum: 1 }, 1, 'f 1 is not < 1'],
    [{ type: 'string', format: 'date' }, '12/31', 'f "12/31" is not in the format date'],
    [{ type: 'string', pattern: '^[A-Z]+$' }, 'abc', 'f "abc" does not match ^[A-Z]+$'],
    [{ type: 'string', maxLength: 2 }, 'abc', 'f "abc" must NOT have more than 2 characters'],
    [{ type: 'string', maxLength: 2 }, 'é'.repeat(500), `f "${'é'.repeat(78)}… must NOT have more than 2 characters`],
    [{ type: 'array', minItems: 1 }, [], 'f [] must NOT have fewer than 1 items'],
    [{ anyOf: [{ enum: ['a', 'b'] }, { type: 'null' }] }, 'c', 'f "c" is not one of a, b'],
    [{ anyOf: [{ type: 'string' }, { type: 'number' }] }, true, 'f true fits none of the alternatives'],
    [{ oneOf: [{ type: 'number' }, { type: 'integer' }] }, 1, 'f 1 fits more than one alternative'],
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    [{ if: { type: 'string' }, then: { minLength: 3 } }, 'x', 'f "x" must NOT have fewer than 3 characters'],
  ])('%j', (schema, value, sentence) => {
    expect(field(schema, value)).toEqual([sentence])
  })

  it('names nested fields, and every fault', () => {
    const item = {
      type: 'object',
      properties: { name: {}, 'unit price': { type: 'number' } },
      required: ['name'],
      additionalProperties: false,
    }
    const schema = { type: 'object', properties: { items: { type: 'array', items: item } }, required: ['total'] }
    expect(find(schema, { items: [{ name: 'a', 'unit price': 'free', x: 1 }, {}] })).toEqual([
      'total is missing',
      'items[0].x is not a field of the schema',
      'items[0].unit price "free" is not a number',
      'items[1].name is missing',
    ])
  })

  it('looks behind a reference', () => {
    const schema = {
      type: 'object',
      properties: { f: { anyOf: [{ $ref: '#/$defs/word' }, { type: 'null' }] } },
      $defs: { word: { type: 'string', enum: ['a'] } },
    }
    expect(find(schema, { f: 'b' })).toEqual(['f "b" is not one of a'])
    const other = { ...schema, properties: { ...schema.properties, foo: { $ref: '#/$defs/word' } } }
    expect(find(other, { f: 'b', foo: 'c' })).toEqual(['f "b" is not one of a', 'foo "c" is not one of a'])
  })
})

describe('compileSchema', () => {
  it('knows 2020-12 and draft-07', () => {
    const tuple = { type: 'object', properties: { f: { items: [{ type: 'string' }] } } }
    expect(find({ ...tuple, $schema: 'http://json-schema.org/draft-07/schema#' }, { f: [1] })).toEqual([
      'f[0] 1 is not a string',
    ])
    expect(field({ prefixItems: [{ type: 'string' }] }, [1])).toEqual(['f[0] 1 is not a string'])
  })

  it('refuses what is no schema', () => {
    expect(() => compileSchema({ type: 'objekt' })).toThrow(/type/)
    expect(() => compileSchema({ $ref: '#/$defs/none' })).toThrow(/none/)
  })
})
