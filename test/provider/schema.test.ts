import { Ajv } from 'ajv'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { prepareSchema } from '../../src/provider/schema.ts'
import { GEMINI_DIALECT, OPENAI_DIALECT } from '../../src/provider/schema-dialect.ts'
import { createSchemaLevels } from '../../src/provider/schema-levels.ts'
import { pairs } from './schema-pairs.ts'

const ajv = new Ajv({ strict: false })

const object = (properties: object, more: object = {}) => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  ...more,
})
const openai = (schema: object) => prepareSchema(schema as never, OPENAI_DIALECT, 'schema')
const gemini = (schema: object) => prepareSchema(schema as never, GEMINI_DIALECT, 'schema')

/** What OpenAI's strict mode refuses (docs/providers.md), by where it stands. */
function refusedParts(node: unknown, path = '#'): string[] {
  if (Array.isArray(node)) return node.flatMap((item, index) => refusedParts(item, `${path}/${index}`))
  if (typeof node !== 'object' || node === null) return []
  const schema = node as Readonly<Record<string, unknown>>
  const refused = ['minLength', 'maxLength', 'uniqueItems', 'oneOf', 'allOf', 'not', 'const', 'default', '$schema']
  const found = refused.filter((keyword) => keyword in schema && !path.endsWith('/properties'))
  if (schema.type === 'object') {
    const names = Object.keys(schema.properties as object)
    if (JSON.stringify(schema.required) !== JSON.stringify(names)) found.push('required')
    if (schema.additionalProperties !== false) found.push('additionalProperties')
  }
  return [
    ...found.map((keyword) => `${path}/${keyword}`),
    ...Object.entries(schema).flatMap(([key, value]) => refusedParts(value, `${path}/${key}`)),
  ]
}

function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_key, inner: unknown) => inner ?? undefined) ?? 'null')
}

describe('a schema for a strict mode', () => {
  it('holds nothing that the mode refuses, takes every value of the original, and gives it back as it was', () => {
    fc.assert(
      fc.property(pairs, ({ schema, value, strict }) => {
        const prepared = openai(schema)
        expect(prepared.note).toBeNull()
        expect(refusedParts(prepared.ask.schema)).toEqual([])
        expect(ajv.validate(schema, value), ajv.errorsText()).toBe(true)
        expect(ajv.validate(prepared.ask.schema as object, strict), ajv.errorsText()).toBe(true)
        const restored: unknown = JSON.parse(prepared.restore(JSON.stringify(strict)))
        expect(ajv.validate(schema, restored), ajv.errorsText()).toBe(true)
        // A null may stay where the schema itself allows one: left out and null mean the same there.
        expect(withoutNulls(restored)).toEqual(withoutNulls(value))
      }),
      { numRuns: 80 },
    )
  })

  it('says in words what the mode has no keyword for', () => {
    const { ask } = openai(
      object({ name: { type: 'string', description: 'Given name.', minLength: 2, pattern: '^A' } }),
    )
    expect(ask.schema?.properties?.name).toEqual({
      type: 'string',
      pattern: '^A',
      description: 'Given name. (minLength: 2)',
    })
  })

  it('keeps references, and the digits of numbers', () => {
    const schema = {
      type: 'object',
      $defs: {
        node: {
          type: 'object',
          properties: { id: { type: 'integer' }, next: { $ref: '#/$defs/node' } },
          required: ['id'],
        },
      },
      properties: { head: { $ref: '#/$defs/node' } },
      required: ['head'],
    }
    const prepared = openai(schema)
    expect(prepared.note).toBeNull()
    expect(refusedParts(prepared.ask.schema)).toEqual([])
    const text = '{"head":{"id":12345678901234567890,"next":{"id":0.10,"next":null}}}'
    expect(prepared.restore(text)).toBe('{"head":{"id":12345678901234567890,"next":{"id":0.10}}}')
  })

  it('leaves alone what it did not make, and what is no JSON', () => {
    const { restore } = openai({
      type: 'object',
      properties: { a: { type: ['string', 'null'] }, b: { type: 'string' } },
      required: ['a'],
    })
    expect(restore('{"a": null, "b": "x"}')).toBe('{"a": null, "b": "x"}')
    expect(restore('I think null')).toBe('I think null')
    expect(restore('[null]')).toBe('[null]')
  })

  it.each([
    ['an object with free keys', object({ a: { type: 'object' } })],
    ['an object with free keys', object({}, { additionalProperties: { type: 'string' } })],
    ['allOf', object({ a: { allOf: [{ type: 'string' }, { minLength: 2 }] } })],
    ['a tuple', object({ a: { type: 'array', prefixItems: [{ type: 'string' }] } })],
    ['allows anything', object({ a: {} })],
    ['allows anything', object({ a: { type: 'array' } })],
    ['its root is no object', { type: 'array', items: { type: 'string' } }],
    ['its root is a choice', { anyOf: [object({ a: { type: 'string' } })] }],
    ['it refers to', object({ a: { $ref: 'https://example.com/schema' } })],
    [
      'nested too deeply',
      Array.from({ length: 12 }).reduce<object>((inner) => object({ a: inner }), { type: 'string' }),
    ],
    ['more than 1000 enum values', object({ a: { enum: Array.from({ length: 1001 }, (_, index) => index) } })],
    [
      'longer than 15000',
      object({ a: { enum: Array.from({ length: 300 }, (_, index) => `${index}`.padEnd(60, 'x')) } }),
    ],
  ])('is put in words where it has %s', (why, schema) => {
    const { ask, note, restore } = openai(schema)
    expect(note).toContain(why)
    expect(ask).toMatchObject({ schema: null, json: true })
    expect(ask.instruction).toContain(JSON.stringify(schema))
    expect(restore('{"a":null}')).toBe('{"a":null}')
  })
})

describe('a schema for Gemini', () => {
  it('keeps optional properties and free keys, and says the rest in words', () => {
    const schema = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: {
        a: { type: 'string', pattern: '^A', format: 'email' },
        b: { type: 'object', additionalProperties: { type: 'integer' } },
      },
      required: ['a'],
    }
    expect(gemini(schema).ask.schema).toEqual({
      type: 'object',
      properties: {
        a: { type: 'string', description: '(format: email; pattern: ^A)' },
        b: { type: 'object', properties: {}, additionalProperties: { type: 'integer' } },
      },
      required: ['a'],
    })
  })
})

describe('a server that refuses the schema', () => {
  it('is asked one level plainer each time, once for all requests in flight', () => {
    const levels = createSchemaLevels(OPENAI_DIALECT)
    const schema = object({ a: { type: 'string' } })
    const first = levels.asked(schema)
    expect([levels.lower(schema, first), levels.lower(schema, first)]).toEqual([true, true])
    const second = levels.asked(schema)
    expect(second.prepared.ask).toMatchObject({ schema: null, json: true })
    expect(levels.lower(schema, second)).toBe(true)
    const third = levels.asked(schema)
    expect(third.prepared.ask).toMatchObject({ schema: null, json: false })
    expect(third.prepared.ask.instruction).toContain('JSON Schema')
    expect(levels.lower(schema, third)).toBe(false)
    expect(levels.asked(object({ a: { type: 'string' } })).prepared.ask.schema).not.toBeNull()
  })
  it('is asked as plainly as a reply from a batch was asked for, which may know more than this process', () => {
    const levels = createSchemaLevels(OPENAI_DIALECT)
    const schema = object({ a: { type: 'string' } })
    expect(levels.asked(schema, 'json').prepared.ask).toMatchObject({ schema: null, json: true })
    expect(levels.asked(schema).level).toBe('json')
    expect(levels.asked(schema, 'schema').prepared.ask.schema).not.toBeNull()
    expect(levels.asked(schema).level).toBe('json')
    // A thousand rows of one batch are refused together: that is one step, not a thousand.
    for (let row = 0; row < 3; row += 1) expect(levels.lower(schema, levels.asked(schema, 'schema'))).toBe(true)
    expect(levels.asked(schema).level).toBe('json')
  })

  it('goes from a schema that it was never sent to words at once', () => {
    const levels = createSchemaLevels(OPENAI_DIALECT)
    const open = { type: 'object', additionalProperties: { type: 'integer' } }
    const asked = levels.asked(open)
    expect(asked.prepared.ask).toMatchObject({ schema: null, json: true })
    expect(levels.lower(open, asked)).toBe(true)
    expect(levels.asked(open).level).toBe('words')
  })
})
