import { describe, expect, it } from 'vitest'
import { promiseOf } from '../../src/delivery/output-type.ts'

const root = (field: unknown) => ({
  type: 'object',
  properties: { field },
  $defs: { 'a/b': { type: 'integer' }, loop: { $ref: '#/$defs/loop' } },
})

describe('promiseOf', () => {
  it.each([
    [{ type: 'string' }, 'string', null],
    [{ type: 'integer', minimum: 0 }, 'int64', null],
    [{ type: 'number' }, 'double', null],
    [{ type: ['number', 'null'] }, 'double', null],
    [{ type: 'boolean' }, 'boolean', [true, false]],
    [{ enum: ['a', 'b', null] }, 'string', ['a', 'b']],
    [{ enum: [1, 2] }, 'int64', [1, 2]],
    [{ enum: [1, 0.5] }, 'double', [1, 0.5]],
    [{ enum: ['a', 1] }, 'json', null],
    [{ const: 'a' }, 'string', ['a']],
    [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, 'string', null],
    [{ oneOf: [{ type: 'string' }, { type: 'number' }] }, 'json', null],
    [{ $ref: '#/$defs/a~1b' }, 'int64', null],
    [{ $ref: '#/$defs/loop' }, 'json', null],
    [{ $ref: 'https://example.com/x' }, 'json', null],
    [{ type: 'object' }, 'json', null],
    [{ type: 'array', items: { type: 'string' } }, 'json', null],
    [{ type: ['string', 'number'] }, 'json', null],
    [{}, 'json', null],
    [true, 'json', null],
  ])('reads %j', (field, type, choices) => {
    expect(promiseOf(root(field), 'field')).toStrictEqual({ type, choices })
  })

  it('knows plain text, and promises nothing about names that the schema does not have', () => {
    expect(promiseOf(null, 'answer')).toStrictEqual({ type: 'string', choices: null })
    expect(promiseOf(root({ type: 'string' }), 'toString')).toStrictEqual({ type: 'json', choices: null })
  })
})
