import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ModelParams, ModelRequest } from '../../src/domain/request.ts'
import { requestHash } from '../../src/row/request-hash.ts'
import { TICKET_SCHEMA, target } from './fixture.ts'

/** The same value with the keys of every object in another order. */
function shuffled<T>(value: T): T {
  if (Array.isArray(value)) return value.map(shuffled) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, part]) => [key, shuffled(part)]),
  ) as T
}

const text = fc.string({ unit: 'binary' })
const request: fc.Arbitrary<ModelRequest> = fc.record({
  target: fc.record({
    id: fc.constantFrom('openai/a', 'google/b'),
    baseUrl: fc.option(fc.constantFrom('http://localhost:1/v1', 'http://localhost:2/v1')),
    apiKeyEnv: fc.constant(null),
    params: fc.record<Required<Pick<ModelParams, 'temperature' | 'max_output_tokens' | 'stop'>>, never>(
      { temperature: fc.double({ noNaN: true }), max_output_tokens: fc.nat(), stop: fc.array(text) },
      { requiredKeys: [] as never },
    ),
  }),
  system: fc.option(text),
  messages: fc.array(fc.record({ role: fc.constantFrom('user', 'assistant'), text }), { minLength: 1 }),
  schema: fc.option(fc.constantFrom<ModelRequest['schema']>(TICKET_SCHEMA, { type: 'object' }, { type: 'array' })),
})

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )

describe('requestHash', () => {
  it('is the same for the same request, in whatever order its keys stand', () => {
    fc.assert(
      fc.property(request, (one) => {
        expect(requestHash(shuffled(one))).toBe(requestHash(one))
        expect(requestHash(JSON.parse(JSON.stringify(one)))).toBe(requestHash(one))
      }),
    )
  })

  it('differs for requests that differ', () => {
    fc.assert(
      fc.property(request, request, (one, other) => {
        expect(requestHash(one) === requestHash(other)).toBe(canonical(one) === canonical(other))
      }),
    )
  })

  it('differs for a change in any one part', () => {
    const base: ModelRequest = {
      target: target('openai/a', { temperature: 0, stop: ['x'] }),
      system: 'be brief',
      messages: [{ role: 'user', text: 'hello' }],
      schema: TICKET_SCHEMA,
    }
    const changed: readonly ModelRequest[] = [
      base,
      { ...base, system: null },
      { ...base, system: 'be brief ' },
      { ...base, messages: [{ role: 'user', text: 'hello\u0000' }] },
      { ...base, messages: [{ role: 'assistant', text: 'hello' }] },
      { ...base, messages: [...base.messages, { role: 'user', text: '' }] },
      { ...base, schema: null },
      { ...base, schema: { ...(TICKET_SCHEMA as object), required: ['topic'] } },
      { ...base, target: target('openai/b', base.target.params) },
      { ...base, target: { ...base.target, baseUrl: 'http://localhost:1' } },
      { ...base, target: target('openai/a', { temperature: 0.1, stop: ['x'] }) },
      { ...base, target: target('openai/a', { temperature: 0, stop: ['x'], seed: 1 }) },
      { ...base, target: target('openai/a', { temperature: 0, stop: ['x', ''] }) },
    ]
    expect(new Set(changed.map(requestHash)).size).toBe(changed.length)
  })

  it('does not depend on whose key pays', () => {
    const one: ModelRequest = { target: target('openai/a'), system: null, messages: [], schema: null }
    expect(requestHash({ ...one, target: { ...one.target, apiKeyEnv: 'OTHER' } })).toBe(requestHash(one))
  })

  it('is what it was: a change of it makes every stored answer unreachable', () => {
    const one: ModelRequest = {
      target: target('openai/gpt-5-mini', { temperature: 0 }),
      system: 'You label.',
      messages: [{ role: 'user', text: 'Grüße' }],
      schema: { type: 'object', properties: { a: { type: 'string' } } },
    }
    expect(requestHash(one)).toBe('1a322ffe662f2200176c47385b2ad727a0938ea44895323f0bb5c8decd025eec')
  })
})
